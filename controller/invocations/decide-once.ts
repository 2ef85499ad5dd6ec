import { MusterError } from '../../protocol/errors.js';
import { appendAudit } from '../store/audit.js';
import type { Tx } from '../store/database.js';
import type { InvocationRow } from '../store/invocations.js';
import { tellApprovalResult, tellInvocations } from '../store/tell.js';
import { isOverdue, newestMs } from './overdue.js';

/** Why nothing was changed: a value, since a failure inside a transaction would undo its neighbours. */
export type Refusal = Readonly<{ code: 'conflict' | 'expired' | 'forbidden'; detail: string }>;

/** @throws {MusterError} conflict, expired */
export function refuseUnlessPending(row: InvocationRow, nowMs: number): void {
  throwRefusal(refusalOf(row, nowMs));
}

function refusalOf(row: Pick<InvocationRow, 'status' | 'created_at' | 'expires_at'>, nowMs: number) {
  const { status } = row;
  if (status === 'expired' || (status === 'pending' && isOverdue(row, nowMs))) {
    return { code: 'expired', detail: 'The time to approve it is over: ask again' } as const;
  }
  return status === 'pending'
    ? undefined
    : ({ code: 'conflict', detail: `It does not wait any more: it is ${status}` } as const);
}

/** Of all that is said at once the first counts: the change is made only while it waits. */
export async function decideOnce(
  tx: Tx,
  {
    row: { id, org, digest },
    change,
    nowMs,
    entry: { event, actor, details },
  }: {
    row: InvocationRow;
    change: Partial<InvocationRow>;
    nowMs: number;
    entry: Readonly<{ event: string; actor: string; details?: Readonly<Record<string, string | number>> }>;
  },
): Promise<Refusal | undefined> {
  const { numUpdatedRows } = await tx
    .updateTable('invocations')
    .set(change)
    .where('id', '=', id)
    .where('status', '=', 'pending')
    .where('expires_at', '>', nowMs)
    .where('created_at', '<=', newestMs(nowMs))
    .executeTakeFirst();
  if (Number(numUpdatedRows) === 0) {
    const now = await tx.selectFrom('invocations').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
    return refusalOf(now, nowMs) ?? { code: 'conflict', detail: 'It has changed meanwhile' };
  }
  const subject = `invocation:${id}`;
  await appendAudit(tx, [{ atMs: nowMs, org, actor, event, subject, details: { digest, ...details } }]);
  const status = event === 'invocation_approved' ? 'approved' : 'denied';
  tellApprovalResult(tx, { org, id, status, by: change.approved_by ?? undefined });
  await tellInvocations(tx, [id]);
  return undefined;
}

/** @throws {MusterError} the code of the refusal, when there is one */
export function throwRefusal(refusal: Refusal | undefined): void {
  if (refusal !== undefined) throw new MusterError(refusal.code, refusal.detail);
}
