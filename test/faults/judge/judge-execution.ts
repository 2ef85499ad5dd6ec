import type { Accepted, Allowances, Evidence, JournalFact, Outcome } from './evidence.js';
import type { Fault, Finding } from './fault.js';
import { judgeCancel } from './judge-cancel.js';
import { judgeOutcome, LAUNCH_MS, type Seen } from './judge-outcome.js';
import type { Runs } from './ledger.js';

/** A request may start this much before its `issued_at`. */
const EARLY_MS = 120_000;

/** Everything that is wrong with one accepted execution. */
export function judgeExecution(
  accepted: Accepted,
  { evidence, runs, allowances }: Readonly<{ evidence: Evidence; runs: Runs; allowances: Allowances }>,
): Fault[] {
  const { executionId, node, label } = accepted;
  const agent = evidence.agents.find((each) => each.node === node);
  const outcome = evidence.outcomes.get(executionId);
  const seen: Seen = { ...runs, lives: agent?.lives ?? [] };
  const faults: Finding[] = [...judgeStarts(accepted, runs.starts, allowances)];
  if (outcome === undefined) faults.push(['lost', 'was accepted, and the controller does not know it']);
  else if (!outcome.ended) faults.push(['lost', `has no outcome: it is ${outcome.status}`]);
  else if (outcome.provisional) faults.push(['undefined', `ended as ${saying(outcome)}, provisionally`]);
  else {
    faults.push(...judgeOutcome(accepted, outcome, { seen, allowances }));
    faults.push(...judgeCancel(accepted, outcome, { runs, parts: [seen.lives, ...evidence.core], allowances }));
    const fact = agent?.journal?.get(executionId);
    if (agent?.journal !== undefined) {
      faults.push(...judgeRecords(outcome, { fact, stored: evidence.store.results.get(executionId) }));
    }
  }
  return faults.map(([kind, why]) => ({ kind, sentence: `${executionId} (${node}, ${label}) ${why}` }));
}

function judgeStarts(
  { issuedMs, expiresMs }: Accepted,
  starts: Runs['starts'],
  { launchMs = LAUNCH_MS }: Allowances,
): Finding[] {
  const faults: Finding[] = [];
  if (starts.length > 1) faults.push(['doubled', `was started ${starts.length} times`]);
  for (const { atMs } of starts) {
    if (atMs >= expiresMs + launchMs) faults.push(['late', `was started ${Math.round(atMs - expiresMs)} ms too late`]);
    if (atMs < issuedMs - EARLY_MS) faults.push(['late', `was started ${Math.round(issuedMs - atMs)} ms too early`]);
  }
  return faults;
}

/** What the agent wrote down, what the controller holds, and what it says have to be the same. */
function judgeRecords(
  outcome: Outcome,
  { fact, stored }: { fact: JournalFact | undefined; stored: string | undefined },
): Finding[] {
  const isAgents = stored !== undefined;
  if (!isAgents) {
    if (fact?.state === 'finished') return [['lost', `is finished in the journal, and ${outcome.status} without it`]];
    return fact === undefined || fact.state === 'tombstone'
      ? []
      : [['undefined', `is ${fact.state} in the journal, and ended as ${outcome.status}`]];
  }
  if (fact === undefined) return [['lost', 'has a result of which the journal knows nothing']];
  if (fact.state !== 'finished') return [['undefined', `has a result and is ${fact.state} in the journal`]];
  const faults: Finding[] = [];
  if (!fact.receipted) faults.push(['other', 'has no receipt in the journal']);
  // A journal near its bound forgets results that were receipted.
  const isForgotten = fact.receipted && fact.resultSha256 === undefined;
  if (!isForgotten && fact.resultSha256 !== stored) {
    faults.push(['undefined', 'has another result in the journal than in the store']);
  }
  return faults;
}

/** An outcome in words. */
export function saying({ status, errorCode, reason }: Outcome): string {
  return [status, errorCode ?? reason].filter(Boolean).join(' ');
}
