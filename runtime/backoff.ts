/**
 * Delay before the next try in milliseconds: a random part of a ceiling that doubles with each failure ("full jitter").
 * Source: M. Brooker, "Exponential Backoff And Jitter", 2015.
 */
export function fullJitterMs(
  failures: number,
  { baseMs, capMs, random }: { baseMs: number; capMs: number; random: () => number },
): number {
  return random() * Math.min(capMs, baseMs * 2 ** Math.min(failures, 30));
}

/** A doubling delay that varies by ± 20 %, for repeated offers and reports. */
export function spreadBackoffMs(
  attempts: number,
  { baseMs, capMs, random }: { baseMs: number; capMs: number; random: () => number },
): number {
  return Math.min(capMs, baseMs * 2 ** Math.min(attempts, 30)) * (0.8 + 0.4 * random());
}
