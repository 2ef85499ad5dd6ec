import type { Selectable } from 'kysely';
import type { z } from 'zod';
import { padded, slicesOf } from '../grouping.js';
import { Counts, ExecutionStatus, InvocationStatus, type InvocationStatus as Status } from '../http/schemas.js';
import { EXECUTION_STATUSES } from '../http/statuses.js';
import { type StopReason, statusOf } from '../invocations/completion.js';
import { appendAudit } from './audit.js';
import type { Queries, Tx } from './database.js';
import type { Tables } from './schema.js';
import { TOLD_INVOCATION, tellApprovalRequest, tellInvocation } from './tell.js';

export type InvocationRow = Selectable<Tables['invocations']>;
export type InvocationCounts = Readonly<z.infer<typeof Counts>>;

/** SQLite takes 32,766 values in a statement, and as many invocations may end at one moment. */
const IDS_PER_STATEMENT = 4_096;

const DENIED = 'policy_revalidated_deny' satisfies StopReason;

/** How many asks wait for a person. */
export async function countPending(read: Queries, { org, nowMs }: { org: string; nowMs: number }): Promise<number> {
  const { count } = await read
    .selectFrom('invocations')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('org', '=', org)
    .where('status', '=', 'pending')
    .where('expires_at', '>', nowMs)
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** How many executions in each state, by invocation. An invocation without executions is absent. */
export async function countExecutions(
  queries: Queries,
  ids: readonly string[],
): Promise<Map<string, InvocationCounts>> {
  if (ids.length === 0) return new Map();
  const rows = await queries
    .selectFrom('executions')
    .select(({ fn }) => ['invocation_id', 'status', fn.countAll<number>().as('n')])
    .where('invocation_id', 'in', padded(ids))
    .groupBy(['invocation_id', 'status'])
    .execute();
  const counts = new Map<string, z.infer<typeof Counts>>();
  for (const { invocation_id, status, n } of rows) {
    const of = counts.get(invocation_id) ?? noExecutions();
    of[ExecutionStatus.parse(status)] = Number(n);
    of.total += Number(n);
    counts.set(invocation_id, of);
  }
  return counts;
}

/** Counts of an invocation without executions. */
export function noExecutions(): z.infer<typeof Counts> {
  return Counts.parse({ total: 0, ...Object.fromEntries(EXECUTION_STATUSES.map((status) => [status, 0])) });
}

/** Adds an invocation, and tells of it. */
export async function insertInvocation(tx: Tx, row: InvocationRow): Promise<void> {
  await tx.insertInto('invocations').values(row).execute();
  tellInvocation(tx, row);
  if (row.status === 'pending') tellApprovalRequest(tx, row);
}

/** Invocations of which an execution was accepted are `executing`, and this is told and written down. */
export async function beginInvocations(tx: Tx, ids: readonly string[], nowMs: number): Promise<void> {
  const entry = { atMs: nowMs, actor: 'controller', event: 'invocation_started' };
  for (const part of slicesOf(ids, IDS_PER_STATEMENT)) {
    const begun = await tx
      .updateTable('invocations')
      .set({ status: 'executing' })
      .where('id', 'in', padded(part))
      .where('status', '=', 'approved')
      .returning(TOLD_INVOCATION)
      .execute();
    for (const row of begun) tellInvocation(tx, row);
    await appendAudit(
      tx,
      begun.map(({ id, org }) => ({ ...entry, org, subject: `invocation:${id}` })),
    );
  }
}

/** States that executions move an invocation between; `denied` and `pending` are people's. */
const MOVABLE: readonly Status[] = ['approved', 'executing', 'completed', 'failed', 'expired', 'cancelled'];

/**
 * Sets each invocation to what its executions say, by compare-and-set on the states that executions may change, and
 * tells of those that changed. Gives those that are at their end now.
 */
export async function settleInvocations(tx: Tx, ids: readonly string[], nowMs: number): Promise<string[]> {
  const ended: string[][] = [];
  for (const slice of slicesOf(ids, IDS_PER_STATEMENT)) ended.push(await settleSlice(tx, slice, nowMs));
  return ended.flat();
}

async function settleSlice(tx: Tx, ids: readonly string[], nowMs: number): Promise<string[]> {
  const counts = await countExecutions(tx, ids);
  const wishes = await findWishes(tx, ids);
  const byStatus = new Map<string, { status: Status; error: string | null; ids: string[] }>();
  for (const [id, of] of counts) {
    const { status, error } = statusOf(of, wishes.get(id) ?? {});
    const key = `${status} ${error ?? ''}`;
    const group = byStatus.get(key) ?? { status, error, ids: [] };
    group.ids.push(id);
    byStatus.set(key, group);
  }
  const ended: string[] = [];
  for (const { status, error, ids: group } of byStatus.values()) {
    const isEnd = status !== 'approved' && status !== 'executing';
    const changed = await tx
      .updateTable('invocations')
      .set({ status, error, completed_at: isEnd ? nowMs : null })
      .where('id', 'in', padded(group))
      .where('status', 'in', MOVABLE)
      .where(({ eb, or }) => or([eb('status', '!=', status), eb('error', 'is distinct from', error)]))
      .returning(TOLD_INVOCATION)
      .execute();
    for (const row of changed) tellInvocation(tx, row, counts.get(row.id));
    if (isEnd) ended.push(...group);
  }
  return ended;
}

/** Those of the invocations that somebody wants to end, or that were stopped between two batches, and why. */
async function findWishes(
  tx: Queries,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Readonly<{ isToEnd: boolean; stopped: StopReason | undefined }>>> {
  const rows = await tx
    .selectFrom('invocations as i')
    .select(['i.id', 'i.cancel_requested_at', 'i.batch_stopped_at'])
    .select(({ selectFrom }) =>
      selectFrom('executions as e')
        .select(({ fn }) => fn.countAll<number>().as('n'))
        .whereRef('e.invocation_id', '=', 'i.id')
        .where('e.reason', '=', DENIED)
        .as('denied'),
    )
    .where('i.id', 'in', padded(ids))
    .where(({ eb, or }) => or([eb('i.cancel_requested_at', 'is not', null), eb('i.batch_stopped_at', 'is not', null)]))
    .execute();
  return new Map(
    rows.map(({ id, cancel_requested_at, batch_stopped_at, denied }) => {
      const why = Number(denied) > 0 ? DENIED : 'batch_stopped';
      return [id, { isToEnd: cancel_requested_at !== null, stopped: batch_stopped_at === null ? undefined : why }];
    }),
  );
}

/** An invocation's state as stored. */
export function readInvocationStatus(row: Pick<InvocationRow, 'status'>): Status {
  return InvocationStatus.parse(row.status);
}

/** The state of an invocation of this org; undefined when there is none such. */
export async function findInvocationStatus(read: Queries, org: string, id: string): Promise<Status | undefined> {
  const row = await read
    .selectFrom('invocations')
    .select('status')
    .where('id', '=', id)
    .where('org', '=', org)
    .executeTakeFirst();
  return row === undefined ? undefined : readInvocationStatus(row);
}
