import { useEffect, useState } from 'react';

const UNITS = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const;
const RELATIVE = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const LOCAL = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const STEP_MS = 15_000;

/** A moment in local time; in UTC when the pointer rests on it. */
export function Moment({ at, fallback = '–' }: { at: string | null; fallback?: string }) {
  if (at === null) return <>{fallback}</>;
  return (
    <time dateTime={at} title={at}>
      {LOCAL.format(new Date(at))}
    </time>
  );
}

/** How long ago it was, and local time with UTC when the pointer rests on it. */
export function Ago({ at, fallback = 'never' }: { at: string | null; fallback?: string }) {
  const nowMs = useNowMs(STEP_MS);
  if (at === null) return <>{fallback}</>;
  return (
    <time dateTime={at} title={`${LOCAL.format(new Date(at))}, ${at}`}>
      {toAgo(Date.parse(at) - nowMs)}
    </time>
  );
}

/** The time of this machine, anew each so many ms. */
function useNowMs(stepMs: number): number {
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), stepMs);
    return () => clearInterval(timer);
  }, [stepMs]);
  return nowMs;
}

function toAgo(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1];
  return unit === 'second' ? 'just now' : RELATIVE.format(Math.trunc(seconds / size), unit);
}
