import { Batch } from '../http/batch-schemas.js';
import { type Batches, batchExpiry, batchesOf } from '../invocations/batches.js';
import { appendAudit } from '../store/audit.js';
import type { Tx } from '../store/database.js';
import type { ExecutionKey } from '../store/executions.js';
import { countExecutions, type InvocationRow, noExecutions, settleInvocations } from '../store/invocations.js';
import { TOLD_EXECUTION, tellExecution } from '../store/tell.js';

/** What a look at a rollout came to. */
export type Step =
  /** It has ended, or somebody wants it to end. */
  | Readonly<{ kind: 'over' }>
  /** Executions of a batch that has begun are open. */
  | Readonly<{ kind: 'running' }>
  /** The last execution ended at `endedMs`. */
  | Readonly<{ kind: 'pausing'; endedMs: number; pauseMs: number }>
  | Readonly<{ kind: 'begun'; batch: number; expiresAtMs: number; executions: readonly ExecutionKey[] }>
  /** Too many had failed; `ended` are the invocations that are at their end by that. */
  | Readonly<{ kind: 'stopped'; failed: number; executions: readonly ExecutionKey[]; ended: readonly string[] }>;

type Look = Readonly<{ id: string; org: string; nowMs: number; isPauseOver: boolean }>;

/** What an execution that never began says: a stop, not a person, ended it. */
const STOPPED = 'batch_stopped';

/**
 * Begins the next batch of an invocation, or stops it, when that is due by what the store says. Each is one change of
 * `batches_begun` or `batch_stopped_at` from what was read, with its audit row.
 */
export async function advanceRollout(tx: Tx, look: Look): Promise<Step> {
  const row = await tx
    .selectFrom('invocations')
    .selectAll()
    .where('id', '=', look.id)
    .where('status', 'in', ['approved', 'executing'])
    .where('cancel_requested_at', 'is', null)
    .where('batch_stopped_at', 'is', null)
    .where('expires_at', '>', look.nowMs)
    .executeTakeFirst();
  if (row === undefined || row.batch === null) return { kind: 'over' };

  const batches = batchesOf(Batch.parse(JSON.parse(row.batch)), row.total);
  const counts = (await countExecutions(tx, [row.id])).get(row.id) ?? noExecutions();
  if (counts.held === 0) return { kind: 'over' };
  const open = counts.queued + counts.sent + counts.accepted;
  const failed = counts.total - counts.held - open - counts.success;
  if (failed > batches.maxFailed) return stop(tx, look, { row, failed, batches });
  if (open > 0) return { kind: 'running' };
  const endedMs = await lastEnd(tx, row.id);
  if (!look.isPauseOver && endedMs + batches.pauseMs > look.nowMs) {
    return { kind: 'pausing', endedMs, pauseMs: batches.pauseMs };
  }
  return begin(tx, look, { row, batches });
}

async function begin(
  tx: Tx,
  { org, nowMs }: Look,
  { row, batches }: { row: InvocationRow; batches: Batches },
): Promise<Step> {
  const batch = (row.batches_begun ?? 0) + 1;
  const expiresAtMs = batchExpiry(batches, nowMs, row.expires_at);
  await tx.updateTable('invocations').set({ batches_begun: batch }).where('id', '=', row.id).execute();
  const begun = await tx
    .updateTable('executions')
    .set({ status: 'queued', expires_at: expiresAtMs })
    .where('invocation_id', '=', row.id)
    .where('status', '=', 'held')
    .where('batch', '=', batch)
    .returning(TOLD_EXECUTION)
    .execute();
  for (const execution of begun) tellExecution(tx, execution);
  const details = { batch, of: batches.count, count: begun.length };
  await audit(tx, { org, nowMs, id: row.id, event: 'batch_begun', details });
  return { kind: 'begun', batch, expiresAtMs, executions: begun.map(toKey) };
}

async function stop(
  tx: Tx,
  { org, nowMs }: Look,
  { row, failed, batches }: { row: InvocationRow; failed: number; batches: Batches },
): Promise<Step> {
  await tx.updateTable('invocations').set({ batch_stopped_at: nowMs }).where('id', '=', row.id).execute();
  const stopped = await tx
    .updateTable('executions')
    .set({ status: 'cancelled', open: 0, reason: STOPPED, ended_at: nowMs })
    .where('invocation_id', '=', row.id)
    .where('status', '=', 'held')
    .returning(TOLD_EXECUTION)
    .execute();
  for (const execution of stopped) tellExecution(tx, execution);
  const details = { failed, allowed: batches.maxFailed, never_begun: stopped.length };
  await audit(tx, { org, nowMs, id: row.id, event: 'rollout_stopped', details });
  return {
    kind: 'stopped',
    failed,
    executions: stopped.map(toKey),
    ended: await settleInvocations(tx, [row.id], nowMs),
  };
}

/** When the last execution ended; 0 when none has. */
async function lastEnd(tx: Tx, id: string): Promise<number> {
  const { ended } = await tx
    .selectFrom('executions')
    .select(({ fn }) => fn.max('ended_at').as('ended'))
    .where('invocation_id', '=', id)
    .executeTakeFirstOrThrow();
  return Number(ended ?? 0);
}

function audit(
  tx: Tx,
  {
    org,
    nowMs,
    id,
    event,
    details,
  }: { org: string; nowMs: number; id: string; event: string; details: Readonly<Record<string, number>> },
): Promise<void> {
  return appendAudit(tx, [{ atMs: nowMs, org, actor: 'controller', event, subject: `invocation:${id}`, details }]);
}

function toKey({ execution_id, node }: { execution_id: string; node: string }): ExecutionKey {
  return { executionId: execution_id, node };
}
