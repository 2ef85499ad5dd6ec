import { MusterError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';

/** Counts tries of a password by name, so that nobody guesses; never by address, which many share. */
export type Attempts = Readonly<{
  /** Before a try. @throws {MusterError} rate_limited */
  begin: (name: string) => void;
  /** The password was right: the count begins anew. */
  succeeded: (name: string) => void;
}>;

const MAX_TRIES = 10;
const WINDOW_MS = 15 * 60_000;
/** Names that nobody has are counted too, in bounded memory: the oldest are forgotten. */
const MAX_NAMES = 10_000;

export function createAttempts(clock: Clock): Attempts {
  const tries = new Map<string, { count: number; sinceMs: number }>();
  return {
    begin(name) {
      const nowMs = clock.monotonicMs();
      const known = tries.get(name);
      const current = known === undefined || nowMs - known.sinceMs >= WINDOW_MS ? { count: 0, sinceMs: nowMs } : known;
      if (current.count >= MAX_TRIES) {
        throw new MusterError('rate_limited', 'Too many tries with this name: wait a quarter of an hour');
      }
      current.count += 1;
      tries.delete(name);
      tries.set(name, current);
      const [oldest] = tries.keys();
      if (tries.size > MAX_NAMES && oldest !== undefined) tries.delete(oldest);
    },
    succeeded: (name) => void tries.delete(name),
  };
}
