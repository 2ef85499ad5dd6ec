import type { Clock } from '../../runtime/clock.js';
import type { Cancellations } from '../dispatch/cancellations.js';
import type { OpenExecution, OpenExecutions } from '../dispatch/open-executions.js';
import { padded } from '../grouping.js';
import { appendAudit } from '../store/audit.js';
import type { Tx } from '../store/database.js';
import { type ExecutionRow, findExecution, moveExecutions } from '../store/executions.js';
import { settleInvocations } from '../store/invocations.js';
import { findResult } from '../store/results.js';
import type { Store } from '../store/store.js';

export type ReopenDeps = Readonly<{
  store: Store;
  open: OpenExecutions;
  cancellations: Cancellations;
  clock: Clock;
  org: string;
}>;

/** Ends that a node's signed word that it has the execution shows to have been premature. */
const PREMATURE = ['rejected', 'expired', 'cancelled'];

/** What a node says that it has; an ack names the request's octets, too. */
type Claim = Readonly<{ executionId: string; node: string; requestSha256?: string }>;

/**
 * Opens an execution again that was ended without a result, because its node says that it runs it. When it was to be
 * cancelled, the node is told so.
 */
export async function reopen(
  deps: ReopenDeps,
  claim: Claim,
): Promise<OpenExecution | 'unknown' | 'wrong_request' | 'ended'> {
  const { store, open, cancellations } = deps;
  const outcome = await store.write((tx) => reopenRow(tx, deps, claim));
  if (typeof outcome === 'string') return outcome;
  const reopened = open.add({
    executionId: outcome.execution_id,
    node: outcome.node,
    invocationId: outcome.invocation_id,
    expiresAtMs: outcome.expires_at,
    timeoutMs: outcome.timeout_ms,
    checksum: outcome.checksum,
    state: 'sent',
    requestSha256: outcome.request_sha256,
    offered: true,
  });
  reopened.cancelling = outcome.cancelling === 1;
  cancellations.add([reopened]);
  return reopened;
}

async function reopenRow(
  tx: Tx,
  { clock, org }: ReopenDeps,
  { executionId, node, requestSha256 }: Claim,
): Promise<ExecutionRow | 'unknown' | 'wrong_request' | 'ended'> {
  const row = await findExecution(tx, { executionId, node });
  if (row === undefined) return 'unknown';
  if (requestSha256 !== undefined && row.request_sha256 !== requestSha256) return 'wrong_request';
  if ((await findResult(tx, { executionId, node })) !== undefined) return 'ended';
  const set = { status: 'sent', open: 1, ended_at: null, reason: null };
  if ((await moveExecutions(tx, [{ executionId, node }], { from: PREMATURE, set })) === 0) return 'ended';
  const nowMs = clock.nowMs();
  await settleInvocations(tx, [row.invocation_id], nowMs);
  const subject = `execution:${executionId}/${node}`;
  const details = { was: row.status };
  await appendAudit(tx, [{ atMs: nowMs, org, actor: `node:${node}`, event: 'execution_reopened', subject, details }]);
  return row;
}

/** Those of these executions of a node that may have reached it and were ended without a result. */
export async function endedPrematurely(
  { store }: Pick<ReopenDeps, 'store'>,
  { node, executionIds }: { node: string; executionIds: readonly string[] },
): Promise<string[]> {
  if (executionIds.length === 0) return [];
  const rows = await store.read
    .selectFrom('executions')
    .select('execution_id')
    .where('node', '=', node)
    .where('execution_id', 'in', padded(executionIds))
    .where('status', 'in', PREMATURE)
    .where('request_sha256', 'is not', null)
    .execute();
  return rows.map(({ execution_id }) => execution_id);
}
