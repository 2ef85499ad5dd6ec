import type { Clock } from '../../runtime/clock.js';

/** Notices when somebody sets the clock of this machine. */
export type ClockWatch = Readonly<{ tick: () => void }>;

/** When wall and monotonic clock part by more than this, the clock was set. */
const JUMP_MS = 5_000;

/** `onJump` is told by how many milliseconds, at the next tick. */
export function createClockWatch(clock: Clock, onJump: (byMs: number) => void): ClockWatch {
  const gap = (): number => clock.nowMs() - clock.monotonicMs();
  let knownMs = gap();
  return {
    tick() {
      const byMs = gap() - knownMs;
      if (Math.abs(byMs) <= JUMP_MS) return;
      knownMs += byMs;
      onJump(byMs);
    },
  };
}
