import type { ActionResult } from '../services.js';
import { appendAudit } from '../store/audit.js';
import type { Tx } from '../store/database.js';
import { insertIntegrationResult } from '../store/integration-results.js';
import type { InvocationRow } from '../store/invocations.js';
import { TOLD_INVOCATION, tellInvocation } from '../store/tell.js';

/** How an integration's action ended; `code` is of the error table. */
export type ActionEnd =
  | (Readonly<{ kind: 'completed' }> & ActionResult)
  | Readonly<{ kind: 'failed'; code: string; error: string }>;

/** Ends what is under way, once: with its result, its audit row and what is told of it. False when it has ended before. */
export async function endAction(
  tx: Tx,
  { id, org }: Pick<InvocationRow, 'id' | 'org'>,
  { end, nowMs }: Readonly<{ end: ActionEnd; nowMs: number }>,
): Promise<boolean> {
  const failure =
    end.kind === 'failed' ? { error: end.error, error_code: end.code } : { error: null, error_code: null };
  const row = await tx
    .updateTable('invocations')
    .set({ status: end.kind, completed_at: nowMs, ...failure })
    .where('id', '=', id)
    .where('status', '=', 'executing')
    .returning(TOLD_INVOCATION)
    .executeTakeFirst();
  if (row === undefined) return false;
  const sha256 = end.kind === 'completed' ? await insertIntegrationResult(tx, id, end) : null;
  const details = { status: end.kind, error_code: failure.error_code, result_sha256: sha256 };
  const subject = `invocation:${id}`;
  await appendAudit(tx, [{ atMs: nowMs, org, actor: 'controller', event: 'action_ended', subject, details }]);
  tellInvocation(tx, row, end.kind === 'completed' ? { answer: end.result } : undefined);
  return true;
}
