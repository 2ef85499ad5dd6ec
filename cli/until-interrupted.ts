import { isMusterError } from '../protocol/errors.js';
import { EXIT } from '../runtime/exit-codes.js';
import type { Io } from './io.js';

/** Does what has no end until the user interrupts it; the exit code says so. @throws what the work throws */
export async function untilInterrupted(io: Io, work: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const interrupt = new AbortController();
  const stopListening = io.onInterrupt(() => interrupt.abort());
  try {
    await work(interrupt.signal);
  } catch (error) {
    if (!isMusterError(error, 'cancelled')) throw error;
    io.exitWith(EXIT.interrupted);
  } finally {
    stopListening();
  }
}
