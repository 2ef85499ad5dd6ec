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

/** With the wall clock this much ahead or behind of where the monotonic one takes it, it was set, or there was a suspend. */
const PARTED_MS = 20;
/** So often the time since the start of the machine is read in any case. */
const REREAD_MS = 1_000;

/**
 * The same clock, for who asks often how long the machine has run: the system opens and reads a file for that (8 µs,
 * 2026-11). A suspend moves the wall clock on and the monotonic one not, so while they keep in step there was none.
 */
export function createFrequentClock(clock: WakefulClock): WakefulClock {
  let read = { wallMs: Number.NaN, monotonicMs: Number.NaN, sinceBootMs: Number.NaN };
  const { nowMs, monotonicMs } = clock;
  return {
    nowMs,
    monotonicMs,
    sinceBootMs() {
      const passedMs = monotonicMs() - read.monotonicMs;
      const partedMs = Math.abs(nowMs() - read.wallMs - passedMs);
      if (passedMs < REREAD_MS && partedMs < PARTED_MS) return read.sinceBootMs + passedMs;
      read = { wallMs: nowMs(), monotonicMs: monotonicMs(), sinceBootMs: clock.sinceBootMs() };
      return read.sinceBootMs;
    },
  };
}

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
