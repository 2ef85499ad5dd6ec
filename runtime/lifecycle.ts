import { ERROR_CODES, isMusterError } from '../protocol/errors.js';
import { MAX_TIMER_MS } from './deadline.js';
import { EXIT, exitCodeOf } from './exit-codes.js';
import type { Logger } from './logger.js';

/**
 * A part that has started. `stop` waits for running work, up to `drainMs` (0 when absent); when `hurry` fires it stops
 * waiting. When `whenLeaving` resolves, the part wants to be stopped, and started again.
 */
export type Running = Readonly<{
  stop: (hurry: AbortSignal) => Promise<void>;
  drainMs?: number;
  whenLeaving?: Promise<void>;
}>;

/** What a part tells the process that started it, once it can be used: where it listens. */
export type ReadyMessage = Readonly<{ ready: Readonly<Record<string, unknown>> }>;

export type RunOptions = Readonly<{
  stopLimitMs?: number;
  /** Starts the program anew in place of a process that nobody supervises; gives the exit code of that. */
  startAgain?: ((stop: AbortSignal) => Promise<number>) | undefined;
}>;

/** A stop that takes longer than this after the drain is a bug; the process then ends with 1. */
const STOP_LIMIT_MS = 60_000;

/**
 * Runs one part until SIGINT, SIGTERM or the end of the process that started it, then stops it. A second signal skips
 * the wait. While it still starts, `stop` fires at the first signal, and a second one ends the process. Foreseen
 * failures end with a plain sentence on stderr and their exit code; anything else is a bug: 1. A part that leaves by
 * itself ends with what `startAgain` gives, 0 when that is absent: who supervises the process starts it again.
 */
export async function runProcess(
  log: Logger,
  start: (stop: AbortSignal) => Promise<Running>,
  { stopLimitMs = STOP_LIMIT_MS, startAgain }: RunOptions = {},
): Promise<void> {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (err: unknown) => {
      log.fatal({ err }, 'unforeseen failure');
      process.exit(EXIT.failed);
    });
  }
  const stopAsked = whenStopAsked();
  try {
    const leave = (): never => process.exit(0);
    stopAsked.second.addEventListener('abort', leave);
    const running = await start(stopAsked.firstSignal);
    stopAsked.second.removeEventListener('abort', leave);
    await Promise.race([stopAsked.first, ...(running.whenLeaving === undefined ? [] : [running.whenLeaving])]);
    log.info('stopping');
    const endLimit = limitStop(log, { drainMs: running.drainMs ?? 0, stopLimitMs, hurry: stopAsked.second });
    await running.stop(stopAsked.second);
    endLimit();
    log.info('stopped');
    const isStopped = stopAsked.firstSignal.aborted || startAgain === undefined;
    process.exit(isStopped ? 0 : await startAgain(stopAsked.firstSignal));
  } catch (error) {
    process.exit(stopAsked.firstSignal.aborted && isMusterError(error) ? 0 : reportFailure(error, log));
  }
}

/**
 * Ends the process when its stop takes too long, counted from when it waits no more for running work; gives what ends
 * that watch.
 */
function limitStop(
  log: Logger,
  { drainMs, stopLimitMs, hurry }: { drainMs: number; stopLimitMs: number; hurry: AbortSignal },
): () => void {
  const endAfter = (ms: number): NodeJS.Timeout =>
    setTimeout(
      () => {
        log.fatal('stop takes too long');
        process.exit(EXIT.failed);
      },
      Math.min(MAX_TIMER_MS, ms),
    ).unref();
  let timer = endAfter(drainMs + stopLimitMs);
  const onHurry = (): void => {
    clearTimeout(timer);
    timer = endAfter(stopLimitMs);
  };
  if (hurry.aborted) onHurry();
  else hurry.addEventListener('abort', onHurry, { once: true });
  return () => {
    hurry.removeEventListener('abort', onHurry);
    clearTimeout(timer);
  };
}

/** Says a foreseen failure in a sentence with its code and what to do next; gives the exit code. */
export function reportFailure(error: unknown, log?: Logger): number {
  if (!isMusterError(error)) {
    if (log === undefined) process.stderr.write(`muster: ${error instanceof Error ? error.message : String(error)}\n`);
    else log.fatal({ err: error }, 'unforeseen failure');
    return EXIT.failed;
  }
  const { next } = ERROR_CODES[error.code];
  process.stderr.write(`muster: ${error.message} [${error.code}]\n  What to do: ${next}.\n`);
  return exitCodeOf(error.code);
}

/** Tells the process that started this one (if any) that it can be used. */
export function announceReady(ready: Readonly<Record<string, unknown>>): void {
  process.send?.({ ready } satisfies ReadyMessage);
}

function whenStopAsked(): { first: Promise<void>; firstSignal: AbortSignal; second: AbortSignal } {
  const leave = new AbortController();
  const hurry = new AbortController();
  let asked = 0;
  const first = new Promise<void>((resolve) => {
    const onAsk = (): void => {
      asked += 1;
      (asked === 1 ? leave : hurry).abort();
      resolve();
    };
    process.on('SIGINT', onAsk);
    process.on('SIGTERM', onAsk);
    process.once('disconnect', onAsk);
  });
  return { first, firstSignal: leave.signal, second: hurry.signal };
}
