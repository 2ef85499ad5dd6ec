import { isMusterError } from '../protocol/errors.js';
import { spreadBackoffMs } from '../runtime/backoff.js';
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import type { Journal } from './journal/contract.js';

/** Results that the controller has not receipted are published again: after 5 s, doubling to 5 min. */
const REPEAT_BASE_MS = 5_000;
const REPEAT_CAP_MS = 300_000;

/** At most this many publishes await the broker at once. */
const WINDOW = 50;

/** Brings results to the controller until it says that it holds them. */
export type Outbox = Readonly<{
  /** Publishes this result now and again until its receipt. */
  add: (id: string) => void;
  /** Publishes everything unreceipted, oldest first: a welcome says that somebody listens. */
  flush: () => void;
  /** Durable when it resolves. */
  receipt: (ids: readonly string[]) => Promise<void>;
  /** Resolves when every result has been handed to the broker once, or the signal fires. */
  settled: (signal: AbortSignal) => Promise<void>;
  stop: () => void;
}>;

/** How often it is looked which results are due again. */
const LOOK_MS = 1_000;

/** One result on its way. `dueMs` is on the monotonic clock. */
type Waiting = { attempts: number; dueMs: number; isQueued: boolean };

/** `publish` signs and sends a result's payload; it throws MusterError when it did not reach the broker. */
export function createOutbox({
  journal,
  publish,
  onCount,
  clock,
  log,
  random,
}: {
  journal: Journal;
  publish: (payload: Buffer) => Promise<void>;
  onCount: (unreceipted: number) => void;
  clock: Clock;
  log: Logger;
  random: () => number;
}): Outbox {
  /** By execution id, in the order of their ends. */
  const waiting = new Map<string, Waiting>();
  /** Ids that the broker has not had yet. */
  const unsent = new Set<string>();
  /** Ids to publish now, in turn. */
  const queue: string[] = [];
  const settlers = new Set<() => void>();
  let underWay = 0;
  let stopped = false;
  const timer = setInterval(queueDue, LOOK_MS);
  timer.unref();

  for (const id of journal.unreceipted()) put(id);
  onCount(waiting.size);

  function put(id: string): Waiting {
    const entry = { attempts: 0, dueMs: 0, isQueued: false };
    waiting.set(id, entry);
    unsent.add(id);
    return entry;
  }

  /** Queued or under way it goes out anyway: a second copy would say nothing more. */
  function enqueue(id: string, entry: Waiting): void {
    if (entry.isQueued) return;
    entry.isQueued = true;
    queue.push(id);
  }

  function queueDue(): void {
    const nowMs = clock.monotonicMs();
    for (const [id, entry] of waiting) if (entry.dueMs <= nowMs) enqueue(id, entry);
    pump();
  }

  function pump(): void {
    while (!stopped && underWay < WINDOW) {
      const id = queue.shift();
      if (id === undefined) break;
      const entry = waiting.get(id);
      if (entry !== undefined) take(id, entry);
    }
    if (underWay === 0 && unsent.size === 0) for (const settle of [...settlers]) settle();
  }

  /** A disk that cannot be read now is asked again later; what is not on disk yet is added when it is. */
  function take(id: string, entry: Waiting): void {
    let payload: Buffer | undefined;
    try {
      payload = journal.resultOf(id);
    } catch (error) {
      if (!isMusterError(error, 'storage_failed')) throw error;
      entry.isQueued = false;
      entry.dueMs = clock.monotonicMs() + REPEAT_BASE_MS;
      return;
    }
    if (payload !== undefined) return void send(id, entry, payload);
    waiting.delete(id);
    unsent.delete(id);
    onCount(waiting.size);
  }

  async function send(id: string, entry: Waiting, payload: Buffer): Promise<void> {
    const waitMs = spreadBackoffMs(entry.attempts, { baseMs: REPEAT_BASE_MS, capMs: REPEAT_CAP_MS, random });
    entry.attempts += 1;
    underWay += 1;
    try {
      await publish(payload);
      unsent.delete(id);
    } catch (error) {
      if (!isMusterError(error)) throw error;
      // Not connected: the next welcome flushes, and the back-off covers everything else. Told once, not at each try.
      if (entry.attempts === 1) log.warn({ execution_id: id, error: error.message }, 'result not sent');
    } finally {
      underWay -= 1;
      entry.isQueued = false;
      entry.dueMs = clock.monotonicMs() + waitMs;
      pump();
    }
  }

  return {
    add(id) {
      enqueue(id, waiting.get(id) ?? put(id));
      onCount(waiting.size);
      pump();
    },
    flush() {
      for (const [id, entry] of waiting) {
        entry.attempts = 0;
        enqueue(id, entry);
      }
      pump();
    },
    async receipt(ids) {
      for (const id of ids) {
        waiting.delete(id);
        unsent.delete(id);
      }
      onCount(waiting.size);
      pump();
      await journal.receipt(ids);
    },
    settled(signal) {
      if ((underWay === 0 && unsent.size === 0) || signal.aborted) return Promise.resolve();
      return new Promise((over) => {
        const settle = (): void => {
          settlers.delete(settle);
          signal.removeEventListener('abort', settle);
          over();
        };
        settlers.add(settle);
        signal.addEventListener('abort', settle, { once: true });
      });
    },
    stop() {
      stopped = true;
      clearInterval(timer);
    },
  };
}
