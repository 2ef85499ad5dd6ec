import { setTimeout as wait } from 'node:timers/promises';

/** Waits until the condition holds or gives a value; fails with `what` when it does not within the deadline. */
export async function until<T>(
  condition: () => T | Promise<T>,
  { what, deadlineMs = 10_000 }: { what: string; deadlineMs?: number },
): Promise<Exclude<T, false | null | undefined>> {
  const endMs = performance.now() + deadlineMs;
  for (;;) {
    const value = await condition();
    if (isThere(value)) return value;
    if (performance.now() > endMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await wait(10);
  }
}

function isThere<T>(value: T): value is Exclude<T, false | null | undefined> {
  return value !== undefined && value !== null && value !== false;
}
