import type { Clock } from '../../../runtime/clock.js';

/** While containers keep changing, that is told after 2 s, doubling to 2 min: links are metered, and some never rest. */
const LEAST_GAP_MS = 2_000;
const MOST_GAP_MS = 120_000;

/**
 * Tells, of a change that was just told, how many milliseconds the next one has to wait: longer and longer while there is
 * no rest.
 */
export function createPace(clock: Clock): () => number {
  let gapMs = LEAST_GAP_MS;
  let changedMs = Number.NEGATIVE_INFINITY;
  return () => {
    const quietMs = clock.monotonicMs() - changedMs;
    gapMs = quietMs > 2 * gapMs ? LEAST_GAP_MS : Math.min(MOST_GAP_MS, 2 * gapMs);
    changedMs = clock.monotonicMs();
    return gapMs;
  };
}
