import { MusterError } from '../protocol/errors.js';

/** The longest that setTimeout waits, in milliseconds; it fires at once when it is given more. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * What the promise gives, or a failure once the time is over. The work itself is not stopped.
 * @throws {MusterError} deadline_passed
 */
export async function withDeadline<T>(work: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new MusterError('deadline_passed', `${what} took longer than ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
