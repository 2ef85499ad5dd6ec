import type { Accepted, Allowances, Life, Outcome } from './evidence.js';
import type { FaultKind, Finding } from './fault.js';
import { outputOf, type Runs } from './ledger.js';

/** What really happened to an execution, from the ledger and from those who watched the agent's processes. */
export type Seen = Runs & Readonly<{ lives: readonly Life[] }>;

/** From the last line of a hook until its result is on disk; later no crash may lose it. */
const RECORD_MS = 10_000;
/** A hook that should have been ended may write its last line when this little was left. */
const RACE_MS = 2_000;

/** `agent.max_output_bytes` of the agents under test. */
const MAX_OUTPUT_BYTES = 1024 * 1024;

/** Whether a definite outcome says what happened. */
export function judgeOutcome(
  accepted: Accepted,
  outcome: Outcome,
  { seen, allowances }: { seen: Seen; allowances: Allowances },
): Finding[] {
  const { status, reason } = outcome;
  switch (status) {
    case 'success':
    case 'failed':
      return judgeExited(accepted, outcome, { seen, allowances });
    case 'timeout':
      return [...judgeTimeout(accepted, seen), ...judgeOutput(accepted, outcome, 'beginning')];
    case 'cancelled':
      return [...judgeCancelled(accepted, outcome, seen), ...judgeOutput(accepted, outcome, 'beginning')];
    case 'error':
      return judgeError(accepted, outcome, { seen, allowances });
    case 'expired':
      return notStarted(status, seen);
    case 'rejected':
      return [
        ...notStarted(status, seen),
        ...(allowances.rejections?.includes(reason ?? '') ? [] : [why('lost', `was rejected: ${reason}`)]),
      ];
    default:
      return [why('undefined', `ended as ${status}, which is no outcome`)];
  }
}

function judgeExited(
  accepted: Accepted,
  outcome: Outcome,
  { seen, allowances }: { seen: Seen; allowances: Allowances },
): Finding[] {
  const { status, exitCode } = outcome;
  const [end] = seen.ends;
  if (status === 'failed' && exitCode === -1 && end === undefined && allowances.killsHooks) {
    return judgeOutput(accepted, outcome, 'beginning');
  }
  if (seen.starts.length === 0) return [why('undefined', `ended as ${status} and was never started`)];
  if (end === undefined) return [why('undefined', `ended as ${status} and its program never came to its end`)];
  const faults: Finding[] = [];
  if (end.exitCode !== exitCode)
    faults.push(why('undefined', `has exit code ${exitCode}, the program ${end.exitCode}`));
  if ((status === 'success') !== (end.exitCode === 0)) {
    faults.push(why('undefined', `ended as ${status} with exit code ${end.exitCode}`));
  }
  if (end.exitCode !== accepted.deed.exitCode) {
    faults.push(why('undefined', `was to exit with ${accepted.deed.exitCode} and did with ${end.exitCode}`));
  }
  return [...faults, ...judgeOutput(accepted, outcome, 'all')];
}

/** What the controller hands out has to be what the program printed, or its beginning when the program was ended. */
function judgeOutput(
  { executionId, deed }: Accepted,
  { status, stdout }: Outcome,
  expected: 'all' | 'beginning',
): Finding[] {
  if (stdout === undefined) return [why('lost', `ended as ${status}, and its output is not there`)];
  if (!stdout.complete) return [why('lost', 'has output that did not arrive')];
  const printed = outputOf(executionId, deed.bytes);
  const { bytes, truncated } = stdout;
  if (truncated && deed.bytes <= MAX_OUTPUT_BYTES) return [why('undefined', 'says that output was dropped')];
  const isRight =
    expected === 'all' && !truncated
      ? bytes.equals(printed)
      : bytes.length <= printed.length && bytes.equals(printed.subarray(0, bytes.length));
  return isRight ? [] : [why('undefined', `has ${bytes.length} bytes of output that the program did not print so`)];
}

function judgeTimeout({ deed, timeoutMs }: Accepted, { ends }: Seen): Finding[] {
  if (deed.ms + RACE_MS < timeoutMs) {
    return [why('undefined', `ended by its time-out of ${timeoutMs} ms and was to take ${deed.ms} ms`)];
  }
  const isRace = deed.ms <= timeoutMs + RACE_MS;
  return ends.length === 0 || isRace ? [] : [why('undefined', 'ended by its time-out, and its program went on')];
}

function judgeCancelled({ cancelAsked }: Accepted, { launched }: Outcome, seen: Seen): Finding[] {
  const faults: Finding[] = [];
  const [start] = seen.starts;
  const isStopped = seen.lives.some(({ end, toMs }) => end === 'stopped' && (toMs ?? 0) >= (start?.atMs ?? 0));
  if (!cancelAsked && !isStopped) {
    faults.push(why('undefined', 'was cancelled, and nobody had asked for it'));
  }
  if (launched === 'no') faults.push(...notStarted('cancelled, not launched,', seen));
  return faults;
}

function judgeError(
  accepted: Accepted,
  outcome: Outcome,
  { seen, allowances }: { seen: Seen; allowances: Allowances },
): Finding[] {
  const { errorCode, launched } = outcome;
  const faults = launched === 'no' ? notStarted(`${errorCode}, not launched,`, seen) : [];
  if (errorCode === 'interrupted') {
    if (launched === null) faults.push(why('undefined', 'was interrupted and does not say whether it was launched'));
    if (!isExplained(accepted, seen, allowances))
      faults.push(why('lost', 'ended as interrupted, and no crash explains it'));
  } else if (errorCode === 'expired' && launched === 'no') {
    // Its time was over before it could start: checked above.
  } else if (!allowances.errors?.includes(errorCode ?? '')) {
    faults.push(why('lost', `ended as error ${errorCode}: ${outcome.error}`));
  }
  return faults;
}

/**
 * An interruption is honest when a crash fell between the launch (or the ask, when nothing was launched) and the time
 * at which the program's end had to be on disk.
 */
function isExplained(
  { issuedMs }: Accepted,
  { starts, ends, lives }: Seen,
  { recordMs = RECORD_MS }: Allowances,
): boolean {
  const crashes = lives.flatMap(({ end, toMs }) => (end === 'crashed' && toMs !== undefined ? [toMs] : []));
  const [start] = starts;
  const [end] = ends;
  // A hook that is killed with its agent may still write its first line.
  const fromMs = start === undefined ? issuedMs : start.atMs - 1000;
  const toMs = end === undefined ? Number.POSITIVE_INFINITY : end.atMs + recordMs;
  return crashes.some((atMs) => atMs >= fromMs && atMs <= toMs);
}

function notStarted(as: string, { starts }: Seen): Finding[] {
  return starts.length === 0 ? [] : [why('undefined', `ended as ${as} and had been started`)];
}

function why(kind: FaultKind, sentence: string): Finding {
  return [kind, sentence];
}
