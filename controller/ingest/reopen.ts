import type { Clock } from '../../runtime/clock.js';
import type { OpenExecution, OpenExecutions } from '../dispatch/open-executions.js';
import { appendAudit } from '../store/audit.js';
import type { Queries } from '../store/database.js';
import { type ExecutionRow, findExecution, moveExecutions } from '../store/executions.js';
import { settleInvocations } from '../store/invocations.js';
import { findResult } from '../store/results.js';
import type { Store } from '../store/store.js';

export type ReopenDeps = Readonly<{ store: Store; open: OpenExecutions; clock: Clock; org: string }>;

/** Ends that a signed acceptance shows to have been premature. */
const PREMATURE = ['rejected', 'expired', 'cancelled'];

/** Opens an execution again that was ended without a result, because its node says that it runs it. */
export async function reopen(
  deps: ReopenDeps,
  claim: Readonly<{ executionId: string; node: string; requestSha256: string }>,
): Promise<OpenExecution | 'unknown' | 'wrong_request' | 'ended'> {
  const { store, open } = deps;
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
  return reopened;
}

async function reopenRow(
  tx: Queries,
  { clock, org }: ReopenDeps,
  { executionId, node, requestSha256 }: { executionId: string; node: string; requestSha256: string },
): Promise<ExecutionRow | 'unknown' | 'wrong_request' | 'ended'> {
  const row = await findExecution(tx, { executionId, node });
  if (row === undefined) return 'unknown';
  if (row.request_sha256 !== requestSha256) return 'wrong_request';
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
