import { uuidv7 } from 'uuidv7';
import { parseDuration } from '../../protocol/durations.js';
import { statusOf } from '../invocations/completion.js';
import { digestOf } from '../invocations/plan.js';
import type { Registry } from '../nodes/registry.js';
import type { PolicyDocument } from '../policy/document.js';
import { readPolicy } from '../policy/policies.js';
import { riskOf } from '../policy/risks.js';
import { appendAudit } from '../store/audit.js';
import type { Tx } from '../store/database.js';
import { insertExecutions } from '../store/executions.js';
import { type InvocationRow, insertInvocation, noExecutions } from '../store/invocations.js';
import { outcomeColumns } from '../store/outcome-columns.js';
import { findResult, insertResults } from '../store/results.js';
import type { ResultEvidence } from './evidence.js';
import type { Judged } from './store-evidence.js';

type Deps = Readonly<{ registry: Registry; org: string; nowMs: number }>;

/**
 * Stores what a person ran on a node as an invocation with its execution, result and audit row, in the transaction that
 * it is given. The id is the node's choice, so one that the controller or another node has used is not believed.
 */
export async function storeLocalResult(
  tx: Tx,
  deps: Deps,
  evidence: ResultEvidence,
): Promise<Pick<Judged, 'verdict' | 'made'>> {
  const { node, result, payloadSha256, jws, sealed = null } = evidence;
  const { execution_id, status, chunks, checksum } = result;
  const known = await findUses(tx, execution_id);
  if (known.length > 0) {
    if (!known.every((each) => each.node === node && each.origin === 'local')) return { verdict: 'wrong_request' };
    const stored = await findResult(tx, { executionId: execution_id, node });
    return { verdict: stored?.payload_sha256 === payloadSha256 ? 'duplicate' : 'conflicting_result' };
  }

  const { nowMs, org } = deps;
  const { document: policy } = await readPolicy(tx, org);
  const made = toMade(deps, evidence, policy);
  const row = toInvocation(deps, evidence, made);
  await insertInvocation(tx, row);
  await insertExecutions(tx, [toExecution(row, evidence)]);
  await insertResults(tx, [
    {
      execution_id,
      node,
      status,
      payload_sha256: payloadSha256,
      jws,
      sealed,
      chunks,
      received_at: nowMs,
      ...outcomeColumns(result),
    },
  ]);
  const details = {
    action: row.action,
    status,
    by: row.created_by,
    invocation_id: row.id,
    result_sha256: payloadSha256,
    ...(checksum === undefined ? {} : { checksum }),
  };
  const subject = `execution:${execution_id}/${node}`;
  await appendAudit(tx, [{ atMs: nowMs, org, actor: `node:${node}`, event: 'local_execution', subject, details }]);
  return { verdict: 'stored', made };
}

/** On which nodes this id was used before, and by whom. */
function findUses(tx: Tx, executionId: string): Promise<{ node: string; origin: string }[]> {
  return tx
    .selectFrom('executions')
    .innerJoin('invocations', 'invocations.id', 'executions.invocation_id')
    .select(['executions.node', 'invocations.origin'])
    .where('executions.execution_id', '=', executionId)
    .execute();
}

/** An action that the node does not announce, or no longer, counts as a hook of its own. */
function toMade({ registry }: Deps, { node, result: { action = '', status } }: ResultEvidence, policy: PolicyDocument) {
  const { kind = 'hook', spec } = registry.get(node)?.catalogue?.get(action) ?? {};
  return {
    action,
    risk: riskOf(policy, action, [{ kind, announced: spec?.risk }]),
    ...statusOf({ ...noExecutions(), total: 1, [status]: 1 }, {}),
  };
}

/** `created_by` names the node first: who it was is that node's word alone. */
function toInvocation(
  { org, nowMs }: Deps,
  { node, result }: ResultEvidence,
  { action, risk, status, error }: ReturnType<typeof toMade>,
): InvocationRow {
  const { parameters = {}, timeout = '', checksum = null, triggered_by: by } = result;
  const target = { nodes: [node] };
  return {
    id: uuidv7(),
    ...{ org, status, action, risk, timeout, error },
    target: JSON.stringify(target),
    parameters: JSON.stringify(parameters),
    reason: by?.reason ?? null,
    stream: 0,
    spread: null,
    digest: digestOf({ action, target, parameters, stream: false }, timeout, [[node, checksum]]),
    created_at: nowMs,
    created_by: `local:${node}/${by?.id ?? 'unknown'}`,
    askers: null,
    approved_by: null,
    approved_at: null,
    expires_at: nowMs,
    completed_at: nowMs,
    ask: null,
    cancel_requested_at: null,
    cancel_requested_by: null,
    ...{ batch: null, batches_begun: null, batch_stopped_at: null },
    ...{ integration: null, integration_id: null, error_code: null },
    total: 1,
    origin: 'local',
  };
}

function toExecution(row: InvocationRow, { node, result }: ResultEvidence) {
  const { execution_id, status, timeout = '', checksum = null } = result;
  return {
    ...{ execution_id, node, status, checksum },
    invocation_id: row.id,
    open: 0,
    reason: null,
    provisional: 0,
    unreachable: 0,
    request_sha256: null,
    expires_at: row.expires_at,
    timeout_ms: Math.ceil(parseDuration(timeout) ?? 0),
    sent_at: null,
    accepted_at: null,
    ended_at: row.created_at,
    error_code: null,
  };
}
