import { setTimeout as wait } from 'node:timers/promises';

const LOOK_MS = 50;

/** Whether a condition comes to hold before the deadline: a fault run goes on and says so when it does not. */
export async function settles(condition: () => boolean | Promise<boolean>, deadlineMs: number): Promise<boolean> {
  const endMs = performance.now() + deadlineMs;
  for (;;) {
    if (await condition()) return true;
    if (performance.now() > endMs) return false;
    await wait(LOOK_MS);
  }
}
