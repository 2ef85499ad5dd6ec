import { useNowMs } from '../parts/moment.js';

const STEP_MS = 250;

/** How many ms are left until `at` by the controller's clock, which is `aheadMs` ahead of ours; 0 when it is over. */
export function useLeftMs(at: string, aheadMs: number): number {
  return Math.max(0, Date.parse(at) - useNowMs(STEP_MS) - aheadMs);
}

/** How long an ask still waits. It is not read out as it passes. */
export function Countdown({ leftMs }: { leftMs: number }) {
  return (
    <span role="timer" aria-live="off" aria-label="Time left to decide" className={toneOf(leftMs)}>
      {leftMs === 0 ? 'expired' : toClock(leftMs)}
    </span>
  );
}

const SHORT_MS = 60_000;

function toneOf(leftMs: number): string {
  return leftMs < SHORT_MS ? 'countdown short' : 'countdown';
}

/** `4:07`, `1:00:00`. */
function toClock(leftMs: number): string {
  const seconds = Math.ceil(leftMs / 1000);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const [first = 0, ...rest] = parts[0] === 0 ? parts.slice(1) : parts;
  return [String(first), ...rest.map((part) => String(part).padStart(2, '0'))].join(':');
}
