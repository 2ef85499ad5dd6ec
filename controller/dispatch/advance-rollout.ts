import { Batch } from '../http/batch-schemas.js';
import { type Batches, batchExpiry, batchesOf } from '../invocations/batches.js';
import type { StopReason } from '../invocations/completion.js';
import type { Registry } from '../nodes/registry.js';
import { appendAudit } from '../store/audit.js';
import type { Tx } from '../store/database.js';
import type { ExecutionKey } from '../store/executions.js';
import { countExecutions, type InvocationRow, noExecutions, settleInvocations } from '../store/invocations.js';
import { TOLD_EXECUTION, tellExecution } from '../store/tell.js';
import { objectionTo } from './judge-batch.js';

/** What a look at a rollout came to. */
export type Step =
  /** It has ended, or somebody wants it to end. */
  | Readonly<{ kind: 'over' }>
  /** Executions of a batch that has begun are open. */
  | Readonly<{ kind: 'running' }>
  /** The last execution ended at `endedMs`. */
  | Readonly<{ kind: 'pausing'; endedMs: number; pauseMs: number }>
  | Readonly<{ kind: 'begun'; batch: number; expiresAtMs: number; executions: readonly ExecutionKey[] }>
  /** Too many had failed, or the policy is against it; `ended` are the invocations that are at their end by that. */
  | Readonly<{ kind: 'stopped'; why: StopReason; executions: readonly ExecutionKey[]; ended: readonly string[] }>;

type Details = Readonly<Record<string, number | string>>;

type Look = Readonly<{ id: string; org: string; registry: Registry; nowMs: number; isPauseOver: boolean }>;

/**
 * Begins the next batch of an invocation, or stops it, when that is due by what the store says. Each is one change of
 * `batches_begun` or `batch_stopped_at` from what was read, with its audit row. The policy is read again for each batch.
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
  if (failed > batches.maxFailed) {
    return stop(tx, look, { row, why: 'batch_stopped', details: { failed, allowed: batches.maxFailed } });
  }
  if (open > 0) return { kind: 'running' };
  const endedMs = await lastEnd(tx, row.id);
  if (!look.isPauseOver && endedMs + batches.pauseMs > look.nowMs) {
    return { kind: 'pausing', endedMs, pauseMs: batches.pauseMs };
  }
  return begin(tx, look, { row, batches });
}

async function begin(tx: Tx, look: Look, { row, batches }: { row: InvocationRow; batches: Batches }): Promise<Step> {
  const { org, registry, nowMs } = look;
  const batch = (row.batches_begun ?? 0) + 1;
  const objection = await objectionTo(tx, registry, { row, nodes: await nodesOf(tx, { id: row.id, batch }) });
  if (objection !== undefined) {
    const details = { reason: objection.why, policy: objection.policy };
    return stop(tx, look, { row, why: 'policy_revalidated_deny', details });
  }
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
  { row, why, details }: { row: InvocationRow; why: StopReason; details: Details },
): Promise<Step> {
  await tx.updateTable('invocations').set({ batch_stopped_at: nowMs }).where('id', '=', row.id).execute();
  const stopped = await tx
    .updateTable('executions')
    .set({ status: 'cancelled', open: 0, reason: why, ended_at: nowMs })
    .where('invocation_id', '=', row.id)
    .where('status', '=', 'held')
    .returning(TOLD_EXECUTION)
    .execute();
  for (const execution of stopped) tellExecution(tx, execution);
  const event = 'rollout_stopped';
  await audit(tx, { org, nowMs, id: row.id, event, details: { ...details, never_begun: stopped.length } });
  const ended = await settleInvocations(tx, [row.id], nowMs);
  return { kind: 'stopped', why, executions: stopped.map(toKey), ended };
}

/** The nodes of a batch that has not begun. */
async function nodesOf(tx: Tx, { id, batch }: { id: string; batch: number }): Promise<string[]> {
  const rows = await tx
    .selectFrom('executions')
    .select('node')
    .where('invocation_id', '=', id)
    .where('status', '=', 'held')
    .where('batch', '=', batch)
    .execute();
  return rows.map(({ node }) => node);
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
  { org, nowMs, id, event, details }: { org: string; nowMs: number; id: string; event: string; details: Details },
): Promise<void> {
  return appendAudit(tx, [{ atMs: nowMs, org, actor: 'controller', event, subject: `invocation:${id}`, details }]);
}

function toKey({ execution_id, node }: { execution_id: string; node: string }): ExecutionKey {
  return { executionId: execution_id, node };
}
