import { setTimeout as delay } from 'node:timers/promises';
import { isMusterError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { Journal } from '../journal/contract.js';

/** A disk that is full is tried again after the first of these, doubling to the second; in a stop after the third. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 5_000;
const LAST_PAUSE_MS = 100;

/** How an execution ended, as it is kept: the result's payload, and the payloads of its output messages. */
export type Ending = Readonly<{ id: string; result: Buffer; output: () => Iterable<Buffer> }>;

/** Writes down how executions ended. A disk that is full for a while must not lose an outcome. */
export type Recorder = Readonly<{
  /** Tries until it is on disk: true. False when a stop ended the tries; the next process says `interrupted`. */
  record: (ending: Ending) => Promise<boolean>;
  /** The ids of endings that are not on disk yet. */
  pending: () => readonly string[];
  /** From now on nothing is tried for longer than this, but once at least; resolves when nothing is pending. */
  close: (ms: number) => Promise<void>;
}>;

/** A recorder on this journal. */
export function createRecorder({ journal, clock, log }: { journal: Journal; clock: Clock; log: Logger }): Recorder {
  const pending = new Map<string, Promise<boolean>>();
  const closing = new AbortController();
  let untilMs = Number.POSITIVE_INFINITY;

  async function write({ id, result, output }: Ending): Promise<boolean> {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
      try {
        await journal.finish(id, result, output());
        return true;
      } catch (error) {
        if (!isMusterError(error, 'storage_failed')) throw error;
        log.error({ execution_id: id, pauseMs }, 'result not stored, trying again');
      }
      if (clock.monotonicMs() >= untilMs) return false;
      await pause(pauseMs);
    }
  }

  function pause(ms: number): Promise<void> {
    const { signal } = closing;
    if (signal.aborted) return delay(LAST_PAUSE_MS);
    return delay(ms, undefined, { signal }).catch(() => undefined); // the stop has begun: tried again at once
  }

  return {
    record(ending) {
      const written = write(ending).finally(() => pending.delete(ending.id));
      pending.set(ending.id, written);
      return written;
    },
    pending: () => [...pending.keys()],
    async close(ms) {
      untilMs = Math.min(untilMs, clock.monotonicMs() + ms);
      closing.abort();
      await Promise.all(pending.values());
    },
  };
}
