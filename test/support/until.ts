import { setTimeout as wait } from 'node:timers/promises';

/** Waits until the condition holds or gives a value; fails with `what` when it does not within the deadline. */
export async function until<T>(
  condition: () => T | Promise<T>,
  { what, deadlineMs = 10_000 }: { what: string; deadlineMs?: number },
): Promise<NonNullable<T>> {
  const endMs = performance.now() + deadlineMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== null && value !== false) return value;
    if (performance.now() > endMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await wait(10);
  }
}
