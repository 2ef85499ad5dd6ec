import type { AgentEvidence, Allowances, Evidence } from './evidence.js';
import { describeFault, type Fault, type FaultKind } from './fault.js';
import { judgeExecution } from './judge-execution.js';
import { groupRuns } from './ledger.js';

/** What became of all that was accepted: how many faults of each kind, and each in a plain sentence. */
export type Verdict = Readonly<{
  accepted: number;
  lost: number;
  doubled: number;
  late: number;
  undefined: number;
  orphans: number;
  faults: readonly string[];
}>;

/** Judges a run by what it left behind. Pure: the same evidence gives the same verdict. */
export function judge(evidence: Evidence, allowances: Allowances = {}): Verdict {
  const runsOf = groupRuns(evidence.ledger.lines);
  const faults = [
    ...evidence.accepted.flatMap((accepted) =>
      judgeExecution(accepted, { evidence, runs: runsOf(accepted.executionId), allowances }),
    ),
    ...strangers(evidence),
    ...evidence.agents.flatMap(judgeAgent),
    ...evidence.survivors.map(({ pid, command }) => fault('orphan', `process ${pid} is still alive: ${command}`)),
    ...judgeStore(evidence, allowances),
    ...evidence.leaks.map((file) => fault('other', `a secret stands in ${file}`)),
  ];
  return verdictOf(evidence.accepted.length, faults);
}

/** The verdict on so many executions in which nothing but these faults was found. */
export function verdictOf(accepted: number, faults: readonly Fault[]): Verdict {
  return withFaults({ accepted, lost: 0, doubled: 0, late: 0, undefined: 0, orphans: 0, faults: [] }, faults);
}

/** The verdict with what a scenario has seen by itself. */
export function withFaults(verdict: Verdict, faults: readonly Fault[]): Verdict {
  const count = (kind: FaultKind): number => faults.filter((each) => each.kind === kind).length;
  return {
    accepted: verdict.accepted,
    lost: verdict.lost + count('lost'),
    doubled: verdict.doubled + count('doubled'),
    late: verdict.late + count('late'),
    undefined: verdict.undefined + count('undefined'),
    orphans: verdict.orphans + count('orphan'),
    faults: [...verdict.faults, ...faults.map(describeFault)],
  };
}

/** What ran although nobody had asked for it. */
function strangers({ accepted, ledger, store }: Evidence): Fault[] {
  const known = new Set(accepted.map(({ executionId }) => executionId));
  const strange = ledger.lines.filter(({ kind, id }) => kind === 'start' && !known.has(id));
  return [
    ...strange.map(({ id }) => fault('doubled', `${id} was started and had never been asked for`)),
    ...ledger.unreadable.map((line) => fault('other', `the ledger holds ${JSON.stringify(line)}`)),
    ...[...store.results.keys()]
      .filter((id) => !known.has(id))
      .map((id) => fault('undefined', `${id} has a result and had never been asked for`)),
  ];
}

function judgeAgent({ node, descriptors, exitCode, journal }: AgentEvidence): Fault[] {
  const faults: Fault[] = [];
  if (descriptors !== undefined && descriptors.after > descriptors.idle) {
    faults.push(fault('other', `${node} had ${descriptors.idle} open files and ends with ${descriptors.after}`));
  }
  if (exitCode !== undefined && exitCode !== 0) {
    faults.push(fault('other', `${node} was asked to stop and ended with ${exitCode ?? 'a signal'}`));
  }
  if (journal === undefined) faults.push(fault('other', `the journal of ${node} cannot be opened`));
  return faults;
}

function judgeStore({ store }: Evidence, { refusals: expected = [] }: Allowances): Fault[] {
  const faults: Fault[] = [];
  if (store.brokenAuditRow !== undefined) {
    faults.push(fault('other', `the audit chain does not hold at row ${store.brokenAuditRow}`));
  }
  for (const [id] of store.results) {
    const rows = store.ends.get(id) ?? 0;
    if (rows !== 1) faults.push(fault('undefined', `${id} ended ${rows} times by the audit`));
  }
  for (const refusal of store.refusals) {
    const [code = ''] = refusal.split(' ', 1);
    if (!expected.includes(code)) faults.push(fault('undefined', `the controller had to refuse ${refusal}`));
  }
  return faults;
}

function fault(kind: FaultKind, sentence: string): Fault {
  return { kind, sentence };
}
