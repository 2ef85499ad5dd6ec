import type { ErrorCode, MusterError } from '../protocol/errors.js';
import type { Clock } from './clock.js';
import type { Logger } from './logger.js';

const WINDOW_MS = 60_000;

/** Counts what is refused and logs at most one line per kind and minute, so that a flood does not fill the disk. */
export type Refusals = Readonly<{
  note: (error: MusterError, about: Readonly<Record<string, unknown>>) => void;
  /** The newest one; undefined before the first. */
  last: () => Refusal | undefined;
}>;

/** What was refused, and when by the wall clock. */
export type Refusal = Readonly<{ code: ErrorCode; atMs: number }>;

/** `count` moves the metric; it is called for every refusal. `isFault` is true for what a person has to mend: an error. */
export function createRefusals({
  log,
  clock,
  count,
  isFault = () => false,
}: {
  log: Logger;
  clock: Clock;
  count: (code: ErrorCode) => void;
  isFault?: (code: ErrorCode) => boolean;
}): Refusals {
  /** When each code was last logged, and how many were not since. */
  const seen = new Map<ErrorCode, { sinceMs: number; unlogged: number }>();
  let last: Refusal | undefined;
  return {
    last: () => last,
    note({ code, message }, about) {
      count(code);
      last = { code, atMs: clock.nowMs() };
      const nowMs = clock.monotonicMs();
      const logged = seen.get(code);
      if (logged !== undefined && nowMs - logged.sinceMs < WINDOW_MS) {
        logged.unlogged += 1;
        return;
      }
      const fields = { code, detail: message.slice(0, 200), unlogged: logged?.unlogged ?? 0, ...about };
      log[isFault(code) ? 'error' : 'warn'](fields, 'message refused');
      seen.set(code, { sinceMs: nowMs, unlogged: 0 });
    },
  };
}
