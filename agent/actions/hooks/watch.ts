import { setTimeout as delay } from 'node:timers/promises';
import { isMusterError } from '../../../protocol/errors.js';
import type { Logger } from '../../../runtime/logger.js';
import { createDirectoryEvents } from './directory-events.js';
import { discoverHooks, type Hook } from './discover.js';

/** One `cp` causes several events. */
const DEBOUNCE_MS = 200;

/** What no event tells: a directory that appears, or changes on a network file system. */
const RESCAN_MS = 60_000;

/** `onChange` is not called after `stop` has resolved. */
export type HookWatch = Readonly<{ stop: () => Promise<void> }>;

/**
 * Looks through the hooks directory now, when something changes in it and once a minute, and calls `onChange` with the
 * new list when it differs from the last. Returns after the first look.
 * @throws {MusterError} config_invalid when the directory is there and cannot be read
 */
export async function startHookWatch({
  directory,
  log,
  onChange,
  rescanMs = RESCAN_MS,
}: {
  directory: string;
  log: Logger;
  onChange: (hooks: readonly Hook[]) => void;
  rescanMs?: number;
}): Promise<HookWatch> {
  let last = JSON.stringify([]);
  let isStopped = false;
  let isChanged = false;
  let wake = (): void => {};
  const events = createDirectoryEvents(directory, () => {
    isChanged = true;
    wake();
  });

  const look = async (): Promise<void> => {
    events.follow(); // before the look, so that nothing is missed between the two
    const hooks = await discoverHooks(directory, log);
    const now = JSON.stringify(hooks);
    if (now === last || isStopped) return;
    last = now;
    onChange(hooks);
  };
  const untilDue = async (): Promise<void> => {
    if (!isChanged && !isStopped) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, rescanMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    if (isChanged && !isStopped) await delay(DEBOUNCE_MS);
    isChanged = false;
  };
  const keepLooking = async (): Promise<void> => {
    for (;;) {
      await untilDue();
      if (isStopped) return;
      await look().catch((error: unknown) => {
        if (!isMusterError(error)) throw error;
        log.warn({ detail: error.message }, 'hooks cannot be read');
      });
    }
  };

  if (directory === '') return { stop: async () => {} };
  try {
    await look();
  } catch (error) {
    events.close();
    throw error;
  }
  const looking = keepLooking();
  return {
    async stop() {
      isStopped = true;
      wake();
      events.close();
      await looking;
    },
  };
}
