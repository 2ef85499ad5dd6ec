import { sql } from 'kysely';
import { MAX_CHUNKS } from '../../protocol/messages/output.js';
import type { OpenExecutions } from '../dispatch/open-executions.js';
import { groupBy } from '../grouping.js';
import { EXECUTION_STATUSES } from '../http/statuses.js';
import type { ControllerMetrics } from '../metrics.js';
import { appendAudit } from '../store/audit.js';
import type { Tx } from '../store/database.js';
import { type ExecutionKey, findExecution, moveExecutions, stillOpen } from '../store/executions.js';
import { beginInvocations, settleInvocations } from '../store/invocations.js';
import { outcomeColumns } from '../store/outcome-columns.js';
import { insertOutputs } from '../store/outputs.js';
import { findResult, insertResults } from '../store/results.js';
import type { Evidence, EvidenceDeps, ResultEvidence } from './evidence.js';
import { storeLocalResult } from './local-results.js';
import { toPieceRows } from './masked-pieces.js';
import { violationEntries } from './violations.js';

/** Fewer are counted as fast as one of them is looked at. */
const MANY_EXECUTIONS = 100;

type OutputEvidence = Extract<Evidence, { kind: 'output' }>;

/** What became of one piece of evidence; `made` is the invocation that a result of local origin brought with it. */
export type Judged = Readonly<{
  evidence: Evidence;
  verdict: 'stored' | 'duplicate' | 'unknown_execution' | 'wrong_request' | 'conflicting_result';
  made?: Parameters<ControllerMetrics['invocationMade']>[0];
}>;

type Deps = Pick<EvidenceDeps, 'open' | 'registry' | 'shield' | 'clock' | 'org'>;

/** The execution that evidence is about, as far as it matters here. */
type Known = Readonly<{ invocationId: string; requestSha256: string | null }>;

/** Stores a batch in the transaction that it is given, and says what became of each piece. */
export async function storeEvidence(
  tx: Tx,
  deps: Deps,
  batch: readonly Evidence[],
): Promise<{ judged: Judged[]; ended: string[] }> {
  const known = await findKnown(tx, deps, batch);
  const judged: Judged[] = [];
  const results: ResultEvidence[] = [];
  const outputs: OutputEvidence[] = [];
  for (const evidence of batch) {
    const execution = known.get(keyOf(evidence));
    if (evidence.kind === 'output') {
      if (execution === undefined || evidence.output.seq >= MAX_CHUNKS) {
        judged.push({ evidence, verdict: 'unknown_execution' });
      } else outputs.push(evidence);
    } else if (evidence.result.origin === 'local') {
      judged.push({ evidence, ...(await storeLocalResult(tx, { ...deps, nowMs: deps.clock.nowMs() }, evidence)) });
    } else if (execution === undefined) judged.push({ evidence, verdict: 'unknown_execution' });
    else if (execution.requestSha256 !== evidence.result.request_sha256) {
      judged.push({ evidence, verdict: 'wrong_request' });
    } else results.push(evidence);
  }
  await addOutputs(tx, deps, { outputs, known });
  for (const evidence of outputs) judged.push({ evidence, verdict: 'stored' });
  const { added, verdicts } = await addResults(tx, deps, results);
  judged.push(...verdicts);
  const ended = await endExecutions(tx, deps, { added, known });
  const stored = judged.flatMap(({ evidence, verdict }) =>
    evidence.kind === 'result' && verdict === 'stored' ? [evidence] : [],
  );
  await appendAudit(tx, violationEntries(stored, { org: deps.org, nowMs: deps.clock.nowMs() }));
  return { judged, ended };
}

/** From memory while it is open; from the store for what came late or twice. */
async function findKnown(tx: Tx, { open }: Deps, batch: readonly Evidence[]): Promise<ReadonlyMap<string, Known>> {
  const known = new Map<string, Known>();
  for (const evidence of batch) {
    const key = keyOf(evidence);
    if (known.has(key)) continue;
    const { node } = evidence;
    const executionId = executionIdOf(evidence);
    const inMemory = open.get(executionId, node);
    if (inMemory !== undefined) known.set(key, inMemory);
    else {
      const row = await findExecution(tx, { executionId, node });
      if (row !== undefined) known.set(key, { invocationId: row.invocation_id, requestSha256: row.request_sha256 });
    }
  }
  return known;
}

/** Adds pieces and tells of those that are new. */
async function addOutputs(
  tx: Tx,
  { shield }: Deps,
  { outputs, known }: { outputs: readonly OutputEvidence[]; known: ReadonlyMap<string, Known> },
): Promise<void> {
  const firsts = new Map<string, OutputEvidence>(); // a node may say a piece twice within one batch
  for (const each of outputs) {
    const key = `${keyOf(each)}/${each.output.seq}`;
    if (!firsts.has(key)) firsts.set(key, each);
  }
  const added = await insertOutputs(tx, await toPieceRows(tx, shield, [...firsts.values()]));
  for (const [key, evidence] of firsts) {
    const { node, output } = evidence;
    const { execution_id, seq, stream, offset, last } = output;
    const invocation_id = known.get(keyOf(evidence))?.invocationId;
    if (invocation_id === undefined || !added.has(key)) continue;
    tx.tell({ event: { type: 'output', invocation_id, execution_id, node, seq, stream, offset, last } });
  }
}

/** The first result for an execution stays; one with the same octets is a repetition, any other a conflict. */
async function addResults(
  tx: Tx,
  { clock }: Deps,
  results: readonly ResultEvidence[],
): Promise<{ added: ResultEvidence[]; verdicts: Judged[] }> {
  const firsts = new Map<string, ResultEvidence>();
  for (const each of results) if (!firsts.has(keyOf(each))) firsts.set(keyOf(each), each);
  const nowMs = clock.nowMs();
  const inserted = await insertResults(
    tx,
    [...firsts.values()].map(({ node, result, payloadSha256, jws, sealed = null, evidence }) => ({
      execution_id: result.execution_id,
      node,
      status: result.status,
      payload_sha256: payloadSha256,
      jws,
      sealed,
      chunks: result.chunks,
      received_at: nowMs,
      ...outcomeColumns(result),
      evidence,
    })),
  );
  const added = [...firsts].flatMap(([key, each]) => (inserted.has(key) ? [each] : []));
  const verdicts: Judged[] = added.map((evidence) => ({ evidence, verdict: 'stored' }));
  for (const evidence of results) {
    const key = keyOf(evidence);
    const first = firsts.get(key);
    if (first === evidence && inserted.has(key)) continue;
    const stored = inserted.has(key)
      ? first?.payloadSha256
      : (await findResult(tx, { executionId: evidence.result.execution_id, node: evidence.node }))?.payload_sha256;
    verdicts.push({ evidence, verdict: stored === evidence.payloadSha256 ? 'duplicate' : 'conflicting_result' });
  }
  return { added, verdicts };
}

/** A signed result replaces whatever the controller had concluded by itself. */
async function endExecutions(
  tx: Tx,
  { open, clock, org }: Deps,
  { added, known }: { added: readonly ResultEvidence[]; known: ReadonlyMap<string, Known> },
): Promise<string[]> {
  const nowMs = clock.nowMs();
  for (const group of groupBy(added, ({ result }) => `${result.status} ${result.execution_id}`).values()) {
    const keys = group.map(({ node, result }) => ({ node, executionId: result.execution_id }));
    const accepted_at = sql<number>`coalesce(accepted_at, ${firstAcceptance(open, keys) ?? nowMs})`;
    const cleared = { open: 0, provisional: 0, unreachable: 0, reason: null, error_code: null };
    const times = { accepted_at, sent_at: sql<number>`coalesce(sent_at, ${accepted_at})`, ended_at: nowMs };
    await moveExecutions(tx, keys, {
      from: EXECUTION_STATUSES,
      set: { status: group[0]?.result.status, ...cleared, ...times },
    });
  }
  await appendAudit(
    tx,
    added.map(({ node, result, payloadSha256 }) => ({
      atMs: nowMs,
      org,
      actor: `node:${node}`,
      event: 'execution_ended',
      subject: `execution:${result.execution_id}/${node}`,
      details: { status: result.status, result_sha256: payloadSha256 },
    })),
  );
  const invocationIds = new Set(added.flatMap((each) => known.get(keyOf(each))?.invocationId ?? []));
  const ended = new Set(added.map(keyOf));
  const goingOn = await findGoingOn(tx, open, { invocationIds, ended });
  await beginInvocations(tx, [...goingOn], nowMs);
  return settleInvocations(
    tx,
    [...invocationIds].filter((id) => !goingOn.has(id)),
    nowMs,
  );
}

/**
 * Those of the large invocations that are not at their end, as one execution shows that this transaction sees open:
 * else each batch of results would count the thousands that a broadcast has.
 */
async function findGoingOn(
  tx: Tx,
  open: OpenExecutions,
  { invocationIds, ended }: { invocationIds: Iterable<string>; ended: ReadonlySet<string> },
): Promise<ReadonlySet<string>> {
  const witnesses = [...invocationIds].flatMap((id) => {
    const executions = open.ofInvocation(id);
    if (executions.size < MANY_EXECUTIONS) return [];
    for (const each of executions) if (!ended.has(`${each.executionId}/${each.node}`)) return [each];
    return [];
  });
  return new Set((await stillOpen(tx, witnesses)).map(({ invocationId }) => invocationId));
}

/** When the first of them was accepted, as far as this process heard it: a mark that waits is not in the store yet. */
function firstAcceptance(open: OpenExecutions, keys: readonly ExecutionKey[]): number | undefined {
  const times = keys.flatMap(({ executionId, node }) => open.get(executionId, node)?.acceptedAtMs ?? []);
  return times.length === 0 ? undefined : times.reduce((a, b) => Math.min(a, b));
}

function executionIdOf(evidence: Evidence): string {
  return evidence.kind === 'result' ? evidence.result.execution_id : evidence.output.execution_id;
}

function keyOf(evidence: Evidence): string {
  return `${executionIdOf(evidence)}/${evidence.node}`;
}
