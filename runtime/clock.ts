import { uptime } from 'node:os';

/** Time as an argument: wall clock for records, monotonic clock for every time-out. */
export type Clock = Readonly<{
  /** Milliseconds since 1970; may jump. */
  nowMs: () => number;
  /** Milliseconds since some start; never goes back. On Linux it stands still while the machine is suspended. */
  monotonicMs: () => number;
}>;

/** A clock that also knows how long the machine was suspended. */
export type WakefulClock = Clock &
  Readonly<{
    /** Milliseconds since the machine started, suspended or not; may be as coarse as a second. */
    sinceBootMs: () => number;
  }>;

export const SYSTEM_CLOCK: WakefulClock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sinceBootMs: () => uptime() * 1000,
};

/** A moment of this machine's run, to count from. */
export type Moment = Readonly<{ monotonicMs: number; sinceBootMs: number }>;

/** The moment that it is now. */
export function takeMoment(clock: WakefulClock): Moment {
  return { monotonicMs: clock.monotonicMs(), sinceBootMs: clock.sinceBootMs() };
}

/** Milliseconds since then, in which the machine may have been suspended: never too few, too many by a second at most. */
export function elapsedMs(clock: WakefulClock, since: Moment): number {
  // The first is exact and stands still in a suspend, the second is coarse and does not.
  return Math.max(clock.monotonicMs() - since.monotonicMs, clock.sinceBootMs() - since.sinceBootMs);
}

/** RFC 3339 in UTC. */
export function toTime(ms: number): string {
  return new Date(ms).toISOString();
}
