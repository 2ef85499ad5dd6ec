import type { Accepted, Allowances, Evidence } from './evidence.js';
import type { Fault } from './fault.js';

/** A run with less work than this shows nothing. */
const MIN_ACCEPTED = 10;
/** Harm explains that much does not succeed, half of it in a short run of kills, but not that hardly anything does. */
const SUCCESS_SHARE = 1 / 5;

/** Whether there was work, and enough of it went well: an agent that honestly refuses everything is no good either. */
export function judgeSuccesses(
  { accepted, outcomes }: Pick<Evidence, 'accepted' | 'outcomes'>,
  { successShare = SUCCESS_SHARE }: Allowances = {},
): Fault[] {
  const faults: Fault[] = [];
  if (accepted.length < MIN_ACCEPTED) {
    faults.push({ kind: 'other', sentence: `only ${accepted.length} executions were accepted in the whole run` });
  }
  const due = accepted.filter(isToSucceed);
  const succeeded = due.filter(({ executionId }) => outcomes.get(executionId)?.status === 'success').length;
  if (succeeded < due.length * successShare) {
    faults.push({ kind: 'other', sentence: `only ${succeeded} of ${due.length} that were to succeed did` });
  }
  return faults;
}

function isToSucceed({ deed, timeoutMs, cancelAsked }: Accepted): boolean {
  return deed.exitCode === 0 && deed.ms < timeoutMs && !cancelAsked;
}
