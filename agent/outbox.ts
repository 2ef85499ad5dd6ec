import { isMusterError } from '../protocol/errors.js';
import { spreadBackoffMs } from '../runtime/backoff.js';
import type { Clock } from '../runtime/clock.js';
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

/** `publish` signs and sends a result's payload; it throws MusterError when it did not reach the broker. */
export function createOutbox({
  journal,
  publish,
  onCount,
  clock,
  random,
}: {
  journal: Journal;
  publish: (payload: Buffer) => Promise<void>;
  onCount: (unreceipted: number) => void;
  clock: Clock;
  random: () => number;
}): Outbox {
  /** By execution id, in the order of their ends. */
  const waiting = new Map<string, { attempts: number; dueMs: number; published: boolean }>();
  let underWay = 0;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  const settlers = new Set<() => void>();

  for (const id of journal.unreceipted()) waiting.set(id, { attempts: 0, dueMs: 0, published: false });
  onCount(waiting.size);

  function pump(): void {
    clearTimeout(timer);
    timer = undefined;
    if (stopped) return;
    const nowMs = clock.monotonicMs();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [id, entry] of waiting) {
      if (underWay >= WINDOW) return; // whoever ends first pumps again
      if (entry.dueMs <= nowMs) void send(id, entry);
      else nextMs = Math.min(nextMs, entry.dueMs);
    }
    if (Number.isFinite(nextMs)) timer = setTimeout(pump, nextMs - nowMs + 1);
  }

  async function send(id: string, entry: { attempts: number; dueMs: number; published: boolean }): Promise<void> {
    const payload = journal.resultOf(id);
    if (payload === undefined) {
      waiting.delete(id);
      return;
    }
    entry.dueMs =
      clock.monotonicMs() + spreadBackoffMs(entry.attempts, { baseMs: REPEAT_BASE_MS, capMs: REPEAT_CAP_MS, random });
    entry.attempts += 1;
    underWay += 1;
    try {
      await publish(payload);
      entry.published = true;
    } catch (error) {
      if (!isMusterError(error)) throw error;
      // Not connected: the next welcome flushes, and the back-off covers everything else.
    } finally {
      underWay -= 1;
    }
    if (isSettled()) for (const settle of settlers) settle();
    pump();
  }

  function isSettled(): boolean {
    return underWay === 0 && [...waiting.values()].every(({ published }) => published);
  }

  return {
    add(id) {
      waiting.set(id, { attempts: 0, dueMs: 0, published: false });
      onCount(waiting.size);
      pump();
    },
    flush() {
      for (const entry of waiting.values()) {
        entry.attempts = 0;
        entry.dueMs = 0;
      }
      pump();
    },
    async receipt(ids) {
      for (const id of ids) waiting.delete(id);
      onCount(waiting.size);
      await journal.receipt(ids);
    },
    settled(signal) {
      if (isSettled() || signal.aborted) return Promise.resolve();
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
      clearTimeout(timer);
    },
  };
}
