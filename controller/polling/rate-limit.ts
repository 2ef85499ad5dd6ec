import { MusterError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';

/** Lets each caller do something only so often. */
export type RateLimit = Readonly<{
  /** @throws {MusterError} rate_limited; what is refused does not count */
  pass: (caller: string) => void;
}>;

const WINDOW_MS = 60_000;
/** Callers are authenticated, so there are as many as there are tokens; beyond this the longest silent is forgotten. */
const MAX_CALLERS = 20_000;

/** At most `perMinute` in any 60 seconds, for each caller by itself. */
export function createRateLimit(clock: Clock, perMinute: number): RateLimit {
  /** When each caller passed, monotonic, oldest first; callers in the order in which they passed last. */
  const passed = new Map<string, number[]>();
  return {
    pass(caller) {
      const nowMs = clock.monotonicMs();
      const recent = (passed.get(caller) ?? []).filter((atMs) => nowMs - atMs < WINDOW_MS);
      if (recent.length >= perMinute) {
        throw new MusterError('rate_limited', `More than ${perMinute} of these in a minute`);
      }
      passed.delete(caller);
      passed.set(caller, [...recent, nowMs]);
      const longestSilent = passed.size > MAX_CALLERS ? passed.keys().next().value : undefined;
      if (longestSilent !== undefined) passed.delete(longestSilent);
    },
  };
}
