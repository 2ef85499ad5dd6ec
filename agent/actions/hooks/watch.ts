import { setTimeout as delay } from 'node:timers/promises';
import { isMusterError } from '../../../protocol/errors.js';
import type { Logger } from '../../../runtime/logger.js';
import { createWakeUp } from '../wake-up.js';
import { createDirectoryEvents } from './directory-events.js';
import { discoverHooks, type Hook } from './discover.js';
import { createFaultLog } from './fault-log.js';

/** One `cp` causes several events. */
const DEBOUNCE_MS = 200;

/** No event tells that a directory appears or takes the place of another; asking costs one system call. */
const FOLLOW_MS = 5_000;

/** `onChange` is not called after `stop` has resolved. */
export type HookWatch = Readonly<{ stop: () => Promise<void> }>;

/**
 * Looks through the hooks directory now, when something changes in it and every `verifyMs`, since a write through
 * another name of a file, or on a network file system, causes no event. Calls `onChange` with the new list when it
 * differs from the last. Returns after the first look.
 * @throws {MusterError} config_invalid when the directory is there and cannot be read
 */
export async function startHookWatch({
  directory,
  log,
  onChange,
  verifyMs,
  followMs = FOLLOW_MS,
}: {
  directory: string;
  log: Logger;
  onChange: (hooks: readonly Hook[]) => void;
  verifyMs: number;
  followMs?: number;
}): Promise<HookWatch> {
  if (directory === '') return { stop: async () => {} };
  const logFaults = createFaultLog(log);
  const due = createWakeUp();
  const events = createDirectoryEvents(directory, due.set);
  let last = JSON.stringify([]);
  let isStopped = false;

  const look = async (): Promise<void> => {
    events.follow(); // before the look, so that nothing is missed between the two
    const { hooks, faults } = await discoverHooks(directory);
    if (isStopped) return;
    logFaults(faults);
    const now = JSON.stringify(hooks);
    if (now === last) return;
    last = now;
    onChange(hooks);
  };
  const keepLooking = async (): Promise<void> => {
    for (;;) {
      await due.wait();
      if (!isStopped) await delay(DEBOUNCE_MS);
      if (isStopped) return;
      due.clear();
      await look().catch((error: unknown) => {
        if (!isMusterError(error)) throw error;
        log.warn({ detail: error.message }, 'hooks cannot be read');
      });
    }
  };

  try {
    await look();
  } catch (error) {
    events.close();
    throw error;
  }
  const verifying = setInterval(due.set, verifyMs);
  const following = setInterval(() => {
    if (events.follow()) due.set();
  }, followMs);
  const looking = keepLooking();
  return {
    async stop() {
      isStopped = true;
      clearInterval(verifying);
      clearInterval(following);
      due.set();
      events.close();
      await looking;
    },
  };
}
