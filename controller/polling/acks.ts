import { MusterError } from '../../protocol/errors.js';
import { PASSING_REASONS, type RejectionReason } from '../../protocol/messages/ack.js';
import { type ConcludeDeps, conclude } from '../dispatch/conclude.js';
import type { OpenState } from '../dispatch/open-executions.js';
import { appendAudit } from '../store/audit.js';
import { type ExecutionRow, moveExecutions } from '../store/executions.js';
import { settleInvocations } from '../store/invocations.js';
import { findNamedExecution } from './action-ids.js';
import { noteAccepted, WITHOUT_KEY } from './hand-out.js';

/** What a node says before it starts, or instead of it (P-91). */
export type PolledAck = Readonly<{ status: 'accepted' }> | Readonly<{ status: 'rejected'; reason: RejectionReason }>;

/**
 * Takes the ack of a node that polls. An `accepted` that is answered without a failure is the leave to start; the same
 * once more is answered the same.
 * @throws {MusterError} not_found, conflict (not fetched, cancelled, ended), expired
 */
export async function takePolledAck(
  deps: ConcludeDeps,
  node: string,
  { name, ack }: { name: string; ack: PolledAck },
): Promise<void> {
  const row = await findNamedExecution(deps.store.read, node, name);
  if (row === undefined) throw new MusterError('not_found', 'There is no such action for this node');
  // Somebody who has it already is told so by the node: it is as good as an acceptance.
  const isAccepted = ack.status === 'accepted' || ack.reason === 'duplicate_execution_id';
  if (isAccepted) return accept(deps, row);
  if (row.status === 'rejected' && row.reason === ack.reason) return;
  await reject(deps, row, ack.reason);
}

/** @throws {MusterError} conflict, expired */
async function accept(deps: ConcludeDeps, row: ExecutionRow): Promise<void> {
  const { store, open, clock, org } = deps;
  const { execution_id: executionId, node, invocation_id } = row;
  const nowMs = clock.nowMs();
  refuseStart(row, nowMs);
  const execution = open.get(executionId, node);
  if (row.cancelling === 1) {
    if (execution !== undefined) await conclude(deps, [execution], { status: 'cancelled' });
    throw new MusterError('conflict', 'It was cancelled: do not start it');
  }
  if (row.status === 'accepted') return;
  const isMoved = await store.write(async (tx) => {
    const set = { status: 'accepted', accepted_at: nowMs, reason: null };
    if ((await moveExecutions(tx, [{ executionId, node }], { from: ['sent'], set })) === 0) return false;
    await settleInvocations(tx, [invocation_id], nowMs);
    const subject = `execution:${executionId}/${node}`;
    await appendAudit(tx, [{ atMs: nowMs, org, actor: `node:${node}`, event: 'execution_accepted', subject }]);
    return true;
  });
  if (!isMoved) throw new MusterError('conflict', 'It has changed meanwhile: say it again');
  if (execution !== undefined) noteAccepted(deps, execution);
}

/** @throws {MusterError} conflict, expired */
function refuseStart({ status, expires_at }: ExecutionRow, nowMs: number): void {
  if (status === 'queued') throw new MusterError('conflict', 'It was not fetched yet, or went back into the queue');
  const isOpen = status === 'sent' || status === 'accepted';
  if (status === 'expired' || (isOpen && expires_at <= nowMs)) {
    throw new MusterError('expired', 'Its time is over: do not start it');
  }
  if (!isOpen) throw new MusterError('conflict', `It is ${status}: do not start it`);
}

/**
 * What was fetched without a key counts as accepted from then on, for want of a better word; here is the better word.
 * @throws {MusterError} conflict
 */
async function reject(deps: ConcludeDeps, row: ExecutionRow, reason: RejectionReason): Promise<void> {
  const { store, open, clock } = deps;
  const { execution_id: executionId, node } = row;
  const from: readonly OpenState[] = row.handed_as === WITHOUT_KEY ? ['sent', 'accepted'] : ['sent'];
  const execution = open.get(executionId, node);
  if (execution === undefined || !from.some((state) => state === row.status)) {
    throw new MusterError('conflict', `It is ${row.status}, which a rejection does not change`);
  }
  if (!PASSING_REASONS.has(reason)) {
    return conclude(deps, [execution], { status: 'rejected', reason, from });
  }
  const nowMs = clock.nowMs();
  const isMoved = await store.write(async (tx) => {
    const set = { status: 'queued', accepted_at: null, handed_as: null, reason };
    if ((await moveExecutions(tx, [execution], { from, set })) === 0) return false;
    await settleInvocations(tx, [row.invocation_id], nowMs);
    return true;
  });
  if (!isMoved) throw new MusterError('conflict', 'It has changed meanwhile: say it again');
  execution.acceptedAtMs = null;
  execution.lostAtMs = undefined;
  open.move(execution, 'queued');
}
