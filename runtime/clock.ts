/** Time as an argument: wall clock for records, monotonic clock for every time-out. */
export type Clock = Readonly<{
  /** Milliseconds since 1970; may jump. */
  nowMs: () => number;
  /** Milliseconds since some start; never goes back. */
  monotonicMs: () => number;
}>;

export const SYSTEM_CLOCK: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

/** RFC 3339 in UTC. */
export function toTime(ms: number): string {
  return new Date(ms).toISOString();
}
