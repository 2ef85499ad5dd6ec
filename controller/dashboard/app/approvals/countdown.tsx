import { useSyncExternalStore } from 'react';

/** When an ask ends by the controller's clock, and how far that is ahead of ours. */
type End = Readonly<{ at: string; aheadMs: number }>;

/** Shorter than what is shown, so that no second is left out. */
const STEP_MS = 250;
const SHORT_SECONDS = 60;

/** Whether the time of an ask is over. */
export function useIsOver(end: End): boolean {
  return useSyncExternalStore(everyStep, () => secondsUntil(end) === 0);
}

/** How long an ask still waits. It is not read out as it passes. */
export function Countdown({ end }: { end: End }) {
  const seconds = useSyncExternalStore(everyStep, () => secondsUntil(end));
  return (
    <span
      role="timer"
      aria-live="off"
      aria-label="Time left to decide"
      className={seconds < SHORT_SECONDS ? 'countdown short' : 'countdown'}
    >
      {seconds === 0 ? 'expired' : toClock(seconds)}
    </span>
  );
}

function everyStep(onChange: () => void): () => void {
  const timer = setInterval(onChange, STEP_MS);
  return () => clearInterval(timer);
}

function secondsUntil({ at, aheadMs }: End): number {
  return Math.max(0, Math.ceil((Date.parse(at) - Date.now() - aheadMs) / 1000));
}

/** `4:07`, `1:00:00`. */
function toClock(seconds: number): string {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const rest = String(seconds % 60).padStart(2, '0');
  return hours === 0 ? `${minutes}:${rest}` : `${hours}:${String(minutes).padStart(2, '0')}:${rest}`;
}
