import type { TestScope } from '../support/broker.js';

/** Does the work, then closes whatever was opened for it, the last one first, however the work ended. */
export async function withScope<T>(work: (scope: TestScope) => Promise<T>): Promise<T> {
  const closers: (() => unknown)[] = [];
  try {
    return await work({ after: (close) => void closers.unshift(close) });
  } finally {
    for (const close of closers) await close();
  }
}
