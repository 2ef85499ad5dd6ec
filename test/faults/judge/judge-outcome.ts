import type { Accepted, Allowances, Life, Outcome } from './evidence.js';
import type { FaultKind, Finding } from './fault.js';
import { judgeOutput, judgeOutputOfEnded } from './judge-output.js';
import type { Runs } from './ledger.js';

/** What really happened to an execution, from the ledger and from those who watched the agent's processes. */
export type Seen = Runs & Readonly<{ lives: readonly Life[] }>;

/** From the last line of a hook until its result is on disk; later no crash may lose it. */
const RECORD_MS = 2_000;
/** From the agent's decision to start to the first line of a hook, on a machine that is busy. */
export const LAUNCH_MS = 2_000;
/** A hook that should have been ended may write its last line when this little was left. */
const RACE_MS = 2_000;
/** By how much the agent's time, which it counts from the controller's, and ours may differ. */
const CLOCK_MS = 1_000;

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
      return [...judgeTimeout(accepted, outcome, { seen, allowances }), ...judgeOutputOfEnded(accepted, outcome, seen)];
    case 'cancelled':
      return judgeCancelled(accepted, outcome, seen);
    case 'error':
      return judgeError(accepted, outcome, { seen, allowances });
    case 'expired':
      return judgeExpired(accepted, outcome, seen);
    case 'rejected':
      if (reason === 'expired') return judgeExpired(accepted, outcome, seen);
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
  if (status === 'failed' && exitCode === -1 && end === undefined && mayBeKilled(accepted, seen, allowances)) {
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

/** Whether the scenario may have killed the program, which did not come to its end. */
function mayBeKilled({ label }: Accepted, { starts }: Seen, { killsHooks, killsAtLaunch }: Allowances): boolean {
  return starts.length > 0 ? killsHooks === true : killsAtLaunch?.test(label) === true;
}

/** Whoever says that its time was over has to say so when it was. */
function judgeExpired({ expiresMs }: Accepted, { status, endMs }: Outcome, seen: Seen): Finding[] {
  const faults = notStarted(`${status}, its time being over,`, seen);
  if (endMs === undefined) return [...faults, why('lost', 'ended as expired, and nobody says when')];
  const earlyMs = Math.round(expiresMs - endMs);
  if (earlyMs > CLOCK_MS) faults.push(why('lost', `ended as expired ${earlyMs} ms before its time was over`));
  return faults;
}

function judgeTimeout(
  accepted: Accepted,
  outcome: Outcome,
  { seen, allowances: { launchMs = LAUNCH_MS } }: { seen: Seen; allowances: Allowances },
): Finding[] {
  const { deed, timeoutMs } = accepted;
  const { starts, ends } = seen;
  if (deed.ms + RACE_MS < timeoutMs) {
    return [why('undefined', `ended by its time-out of ${timeoutMs} ms and was to take ${deed.ms} ms`)];
  }
  // A short time-out may be over before it can begin: when the machine is busy, or the agent stood still.
  if (starts.length === 0 && timeoutMs >= 2 * launchMs && !stoodStill(accepted, outcome, seen)) {
    return [why('undefined', `ended by its time-out of ${timeoutMs} ms and was never started`)];
  }
  const isRace = deed.ms <= timeoutMs + RACE_MS;
  return ends.length === 0 || isRace ? [] : [why('undefined', 'ended by its time-out, and its program went on')];
}

function judgeCancelled(accepted: Accepted, outcome: Outcome, seen: Seen): Finding[] {
  const { launched } = outcome;
  const faults: Finding[] = [];
  if (!accepted.cancelAsked && !isEndedByStop(accepted, outcome, seen)) {
    faults.push(why('undefined', 'was cancelled, and nobody had asked for it'));
  }
  if (launched !== 'yes') {
    faults.push(...notStarted('cancelled, not launched,', seen));
    // What the controller itself has cancelled has no result: its output never comes.
    return launched === null ? faults : [...faults, ...judgeOutput(accepted, outcome, 'none')];
  }
  const ownEndMs = seen.ends[0]?.atMs ?? Number.POSITIVE_INFINITY;
  const afterMs = (outcome.endMs ?? 0) - ownEndMs;
  if (afterMs > RACE_MS && !stoodStill(accepted, outcome, seen)) {
    faults.push(why('undefined', `was cancelled ${Math.round(afterMs)} ms after its program had come to its end`));
  }
  return [...faults, ...judgeOutputOfEnded(accepted, outcome, seen)];
}

/** Whether its agent was made to stand still while it was open: nothing that takes a while can be told by its time. */
function stoodStill({ issuedMs }: Accepted, { endMs = Number.POSITIVE_INFINITY }: Outcome, { lives }: Seen): boolean {
  return lives.some(({ pauses }) =>
    pauses.some(({ fromMs, toMs = Number.POSITIVE_INFINITY }) => fromMs <= endMs && issuedMs <= toMs),
  );
}

/** Whether it was under way when its agent was asked to stop, and ended before the agent did. */
function isEndedByStop({ issuedMs }: Accepted, { endMs }: Outcome, { starts, lives }: Seen): boolean {
  const fromMs = starts[0]?.atMs ?? issuedMs;
  return lives.some(({ end, stopMs, toMs }) => {
    if (end !== 'stopped' || stopMs === undefined || toMs === undefined || endMs === undefined) return false;
    return fromMs <= toMs && stopMs - CLOCK_MS <= endMs && endMs <= toMs + CLOCK_MS;
  });
}

function judgeError(
  accepted: Accepted,
  outcome: Outcome,
  { seen, allowances }: { seen: Seen; allowances: Allowances },
): Finding[] {
  const { errorCode, launched } = outcome;
  if (errorCode === 'expired' && launched === 'no') return judgeExpired(accepted, outcome, seen);
  const faults = launched === 'no' ? notStarted(`${errorCode}, not launched,`, seen) : [];
  if (errorCode === 'interrupted') {
    if (launched === null) faults.push(why('undefined', 'was interrupted and does not say whether it was launched'));
    if (!isExplained(accepted, seen, allowances))
      faults.push(why('lost', 'ended as interrupted, and no crash explains it'));
  } else if (isAllowed(accepted, outcome, allowances)) {
    if (launched !== 'no') faults.push(...notStarted(`error ${errorCode}`, seen));
  } else {
    faults.push(why('lost', `ended as error ${errorCode}: ${outcome.error}`));
  }
  return faults;
}

function isAllowed({ node, label }: Accepted, { errorCode }: Outcome, { errors = [] }: Allowances): boolean {
  return errors.some(
    (each) =>
      each.code === errorCode &&
      (each.node === undefined || each.node === node) &&
      (each.label === undefined || each.label.test(label)),
  );
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
