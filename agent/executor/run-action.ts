import { formatDuration, parseDuration } from '../../protocol/durations.js';
import type { Request } from '../../protocol/messages/request.js';
import type { Outcome } from '../../protocol/outcomes.js';
import type { Clock } from '../../runtime/clock.js';
import { MAX_TIMER_MS } from '../../runtime/deadline.js';
import type { Logger } from '../../runtime/logger.js';
import type { Action, ActionContext, ActionEnd, FoundViolation, OutputSink, RunEnd } from '../actions/action.js';
import { checkParameters } from './parameters.js';

/** What a run is judged by, and whom it tells. */
export type RunContext = Readonly<{
  clock: Clock;
  log: Logger;
  /** How it ends if it must not start now: its window may have closed since it was accepted. */
  insteadOfStart: () => ExecutionEnd | undefined;
  /**
   * Called right before the action's effect can begin, or right after its program was started: a crash between the
   * start and this call leaves `starting` in the journal, which is reported as `launched: unknown`.
   */
  launched: () => void;
  handOver: NonNullable<ActionContext['handOver']>;
}>;

/** An action that does not end this long after it was told to has failed us; its slot is needed. */
const ABANDON_MS = 5_000;
/** Nor does one that has not cleared away after its program so long after that has ended. */
const CLEAR_AWAY_MS = 30_000;

export const UNFORESEEN = 'The action failed in a way that was not foreseen; the log of the agent says more.';

/** Why a running action was told to end. */
export type EndCause = 'timeout' | 'cancelled';

/** How an execution ended, without its output. Durations in milliseconds. */
export type ExecutionEnd = Readonly<{
  status: Outcome;
  exitCode: number;
  durationMs: number;
  errorCode?: string;
  error?: string;
  launched?: 'yes' | 'no' | 'unknown';
  violation?: FoundViolation;
}>;

/** The end of what was cancelled before it started. */
export const CANCELLED: ExecutionEnd = { status: 'cancelled', exitCode: -1, durationMs: 0, launched: 'no' };

/**
 * The time-out of an execution in milliseconds: the least of the request's, the action's and the cap. Text that cannot
 * be read means the cap (P-33).
 */
export function timeoutOf(request: Request, action: Action, capMs: number): number {
  const asked = parseDuration(request.timeout);
  return Math.min(MAX_TIMER_MS, capMs, action.timeoutMs ?? capMs, asked !== undefined && asked > 0 ? asked : capMs);
}

/**
 * Runs one action to its end. It is told to end through its signal, by the time-out or by `stop`; a failure of any
 * kind is an end, never an exception (P-106). What it has handed over has no end yet.
 */
export async function runAction(
  {
    request,
    action,
    timeoutMs,
    output,
    stop,
  }: Readonly<{ request: Request; action: Action; timeoutMs: number; output: OutputSink; stop: AbortSignal }>,
  { clock, log, insteadOfStart, launched, handOver }: RunContext,
): Promise<ExecutionEnd | Extract<RunEnd, { kind: 'handed_over' }>> {
  const startMs = clock.monotonicMs();
  /** How long it ran, once its program has ended by itself. */
  let ranMs: number | undefined;
  const since = (): number => ranMs ?? Math.max(0, clock.monotonicMs() - startMs);
  const checked = checkParameters(action.parameters, request.parameters);
  const refusal = insteadOfStart();
  if (refusal !== undefined) return { ...refusal, durationMs: since() };
  if (!checked.ok) return errorEnd(checked.code, checked.message, since());
  if (stop.aborted) return { ...CANCELLED, durationMs: since() };

  const ending = new AbortController();
  let cause: EndCause | undefined;
  let lateRefusal: ExecutionEnd | undefined;
  let isLaunched = false;
  const launch = (): void => {
    if (isLaunched) return;
    isLaunched = true;
    launched();
  };
  let abandonTimer: NodeJS.Timeout | undefined;
  let abandon: () => void = () => undefined;
  const abandoned = new Promise<undefined>((resolve) => {
    abandon = () => resolve(undefined);
  });
  const end = (why: EndCause): void => {
    if (cause !== undefined || ranMs !== undefined) return;
    cause = why;
    abandonTimer = setTimeout(abandon, ABANDON_MS);
    ending.abort();
  };
  const onStop = (): void => end('cancelled');
  const timer = setTimeout(() => end('timeout'), timeoutMs);
  stop.addEventListener('abort', onStop, { once: true });
  const mayStart = (): boolean => {
    lateRefusal = insteadOfStart();
    return lateRefusal === undefined;
  };
  try {
    if (action.asksMayStart !== true) launch();
    const run = action.run({
      executionId: request.execution_id,
      parameters: checked.values,
      ...(request.checksum === undefined ? {} : { checksum: request.checksum }),
      timeoutMs,
      signal: ending.signal,
      output,
      mayStart,
      launched: launch,
      handOver,
      exited() {
        if (cause !== undefined) return;
        ranMs = since();
        abandonTimer = setTimeout(abandon, CLEAR_AWAY_MS);
      },
    });
    const ended = await Promise.race([run, abandoned]);
    if (ended?.kind === 'handed_over') return ended; // it is under way: whoever follows it sees to a cancel
    if (ended === undefined) log.error('action did not end when it was told to');
    if (lateRefusal !== undefined) return { ...lateRefusal, durationMs: since() };
    if (cause !== undefined) return stoppedEnd(cause, { timeoutMs, durationMs: since(), isLaunched });
    return ended === undefined ? errorEnd('internal', UNFORESEEN, since()) : toEnd(ended, since());
  } catch (err) {
    // An action may end by throwing once its signal has fired: then that is why it ended.
    if (cause !== undefined) return stoppedEnd(cause, { timeoutMs, durationMs: since(), isLaunched });
    log.error({ err }, 'action failed unforeseen');
    return errorEnd('internal', UNFORESEEN, since());
  } finally {
    clearTimeout(timer);
    clearTimeout(abandonTimer);
    stop.removeEventListener('abort', onStop);
  }
}

/** An end with `error_code`. */
export function errorEnd(errorCode: string, error: string, durationMs = 0): ExecutionEnd {
  return { status: 'error', exitCode: -1, durationMs, errorCode, error };
}

/** How an action ended by itself, as it is reported. */
export function toEnd(end: ActionEnd, durationMs: number): ExecutionEnd {
  switch (end.kind) {
    case 'exited':
      return { status: end.exitCode === 0 ? 'success' : 'failed', exitCode: end.exitCode, durationMs };
    case 'signaled':
      return { status: 'failed', exitCode: -1, durationMs, error: `It was ended from outside by ${end.signal}.` };
    case 'error':
      return {
        ...errorEnd(end.code, end.message, durationMs),
        ...(end.violation === undefined ? {} : { violation: end.violation }),
      };
  }
}

function stoppedEnd(
  cause: EndCause,
  { timeoutMs, durationMs, isLaunched }: { timeoutMs: number; durationMs: number; isLaunched: boolean },
): ExecutionEnd {
  if (cause === 'cancelled') return { ...CANCELLED, durationMs, launched: isLaunched ? 'yes' : 'no' };
  return {
    status: 'timeout',
    exitCode: -1,
    durationMs,
    error: `It was ended after its time-out of ${formatDuration(timeoutMs)}.`,
  };
}
