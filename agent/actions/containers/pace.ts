import type { Clock } from '../../../runtime/clock.js';

/** While something keeps changing, that is told after so long at least, doubling up to so long. */
type Gaps = Readonly<{ leastMs: number; mostMs: number }>;

/** Containers that come, go or get other labels: what is not told of one cannot protect it. */
export const CONTAINERS_GAPS: Gaps = { leastMs: 2_000, mostMs: 5_000 };
/** Containers that start and end: links are metered, and some containers never rest. */
export const STATES_GAPS: Gaps = { leastMs: 2_000, mostMs: 120_000 };

/**
 * Tells, of a change that is told now, how many milliseconds the next one has to wait: longer and longer while there is
 * no rest of twice as long.
 */
export function createPace(clock: Clock, { leastMs, mostMs }: Gaps): () => number {
  let gapMs = leastMs;
  let changedMs = Number.NEGATIVE_INFINITY;
  return () => {
    const quietMs = clock.monotonicMs() - changedMs;
    gapMs = quietMs > 2 * gapMs ? leastMs : Math.min(mostMs, 2 * gapMs);
    changedMs = clock.monotonicMs();
    return gapMs;
  };
}
