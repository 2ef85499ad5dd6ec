import { type Clock, SYSTEM_CLOCK } from '../../runtime/clock.js';

/** The system's clock, whose wall time a test may move. */
export type TestClock = Clock & Readonly<{ advance: (ms: number) => void }>;

export function createTestClock(): TestClock {
  let offsetMs = 0;
  return {
    nowMs: () => SYSTEM_CLOCK.nowMs() + offsetMs,
    monotonicMs: SYSTEM_CLOCK.monotonicMs,
    advance: (ms) => {
      offsetMs += ms;
    },
  };
}

/** The system's clock in a world in which time also passes when a test says so. */
export function createPassingClock(): TestClock {
  let passedMs = 0;
  return {
    nowMs: () => SYSTEM_CLOCK.nowMs() + passedMs,
    monotonicMs: () => SYSTEM_CLOCK.monotonicMs() + passedMs,
    advance: (ms) => {
      passedMs += ms;
    },
  };
}
