import { setTimeout as delay } from 'node:timers/promises';
import { isMusterError, type MusterError } from '../../../protocol/errors.js';
import { spreadBackoffMs } from '../../../runtime/backoff.js';
import type { Clock } from '../../../runtime/clock.js';
import type { Logger } from '../../../runtime/logger.js';
import { createWakeUp } from '../wake-up.js';
import { ListedContainers } from './answers.js';
import { ALL_CONTAINERS } from './container-list.js';
import type { Engine } from './engine.js';
import { createEventTaker, EVENTS } from './events.js';
import { createTelling, type Taken, type TellingDeps } from './telling.js';

/** One start of a container is several events. */
const DEBOUNCE_MS = 200;
/** Without an event the containers are listed this often: a stream that hangs looks like one that has nothing to say. */
const VERIFY_MS = 5 * 60_000;
/** An engine that is away is asked again after 1 s, doubling to 30 s, and again after 1 s once it had stayed a while. */
const RETRY = { baseMs: 1_000, capMs: 30_000 };
const STAYED_MS = 60_000;
export type ContainerWatchDeps = Readonly<{
  engine: Engine;
  compare: TellingDeps['compare'];
  tell: TellingDeps['tell'];
  clock: Clock;
  random: () => number;
  log: Logger;
}>;

/** `tell` is not called after `stop` has resolved. `looked` resolves once the engine has been asked for the first time. */
export type ContainerWatch = Readonly<{ looked: Promise<void>; stop: () => Promise<void> }>;

/**
 * Follows the containers of a node: lists them when the engine's events tell of a change, each time that the stream of events
 * has broken, and every 5 min. While the engine is away, what was there last is not taken back.
 */
export function startContainerWatch({ engine, compare, tell, clock, random, log }: ContainerWatchDeps): ContainerWatch {
  const stopping = new AbortController();
  const { signal } = stopping;
  const due = createWakeUp();
  const fault = createFaultTeller(log, signal);
  const take = createTelling({ compare, tell, clock });
  let again: NodeJS.Timeout | undefined;
  let tellLooked: () => void = () => undefined;
  const looked = new Promise<void>((resolve) => {
    tellLooked = resolve;
  });

  /** Undefined when the engine could not be asked. */
  const look = async (): Promise<Taken | undefined> => {
    try {
      const listed = await engine.get(ALL_CONTAINERS, ListedContainers, signal);
      return signal.aborted ? { pauseMs: 0 } : take(listed);
    } catch (error) {
      fault(error);
      return undefined;
    } finally {
      tellLooked();
    }
  };
  const keepLooking = async (): Promise<void> => {
    for (let failures = 0; ; ) {
      await due.wait();
      await pause(DEBOUNCE_MS, signal);
      if (signal.aborted) return;
      due.clear();
      clearTimeout(again);
      const taken = await look();
      failures = taken === undefined ? failures + 1 : 0;
      if (taken?.againMs !== undefined) again = setTimeout(due.set, taken.againMs).unref();
      if (taken !== undefined) {
        await pause(taken.pauseMs, signal);
        continue;
      }
      await pause(spreadBackoffMs(failures - 1, { ...RETRY, random }), signal);
      due.set();
    }
  };
  const keepListening = async (): Promise<void> => {
    for (let failures = 0; !signal.aborted; failures += 1) {
      let openedMs: number | undefined;
      const opened = (): void => {
        openedMs = clock.monotonicMs();
        fault(undefined);
        due.set(); // what happened before is in the list, and what happens from now on is heard
      };
      const reading = { signal, opened, take: createEventTaker(due.set) };
      await engine.read(EVENTS, reading).catch(fault);
      due.set(); // some let us list and not listen
      if (openedMs !== undefined && clock.monotonicMs() - openedMs > STAYED_MS) failures = 0;
      await pause(spreadBackoffMs(failures, { ...RETRY, random }), signal);
    }
  };

  const verifying = setInterval(due.set, VERIFY_MS);
  verifying.unref();
  const running = Promise.all([keepLooking(), keepListening()]);
  return {
    looked,
    async stop() {
      stopping.abort();
      clearInterval(verifying);
      clearTimeout(again);
      due.set();
      await running;
    },
  };
}

/** Logs each change of what is wrong with the engine, once; undefined when nothing is. */
function createFaultTeller(log: Logger, signal: AbortSignal): (error: unknown) => void {
  let code: MusterError['code'] | undefined;
  return (error) => {
    if (signal.aborted) return;
    if (error !== undefined && !isMusterError(error)) throw error;
    if (error?.code === code) return;
    code = error?.code;
    if (error === undefined) log.info('container engine answers');
    else log.warn({ code, error: error.message }, 'containers cannot be followed');
  };
}

/** Waits so long, or until the signal fires. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal, ref: false }).catch(() => undefined);
}
