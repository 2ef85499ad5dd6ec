import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 20;

/** What the promise gives, or undefined when the time is over first. */
export async function within<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  const timer = new AbortController();
  try {
    return await Promise.race([work, delay(ms, undefined, { signal: timer.signal })]);
  } finally {
    timer.abort();
  }
}

/** What the promise gives, or undefined when the signal fires first. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return undefined;
  let stop = (): void => {};
  const aborted = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Resolves when the signal has fired; `until` ends the wait without an answer. */
export function whenFired(signal: AbortSignal, until?: AbortSignal): Promise<void> {
  return new Promise((fired) => {
    if (signal.aborted) fired();
    else
      signal.addEventListener('abort', () => fired(), {
        once: true,
        ...(until === undefined ? {} : { signal: until }),
      });
  });
}

/** Returns once the condition holds, at the latest after this many milliseconds. For what the kernel has no event for. */
export async function waitUntil(condition: () => boolean, ms: number): Promise<void> {
  const endMs = performance.now() + ms;
  while (!condition() && performance.now() < endMs) await delay(Math.min(POLL_MS, ms));
}
