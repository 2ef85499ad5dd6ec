import { setImmediate } from 'node:timers/promises';
import type { Queries } from '../store/database.js';
import { idOfTime } from '../store/invocation-lists.js';

/** What may be let go of the records of one org. Times are milliseconds, counts are of invocations. */
export type RetentionLimits = Readonly<{ ageMs: number; count: number }>;

/** Where the limits lie at this moment: what completed before the time, and every id up to that of the surplus. */
export type RetentionCutoff = Readonly<{ org: string; nowMs: number; cutoffMs: number; surplusId: string }>;

/** One that may go: its executions share few ids, mostly one. */
export type Removable = Readonly<{ id: string; total: number; digest: string; executionIds: readonly string[] }>;

const DAY_MS = 24 * 3600 * 1000;
/** Nodes remember ids until then, and may answer. */
const AFTER_EXPIRY_MS = DAY_MS;
/** Nodes keep results that nobody has receipted for 30 days. */
const UNRECEIPTED_MS = 31 * DAY_MS;
const CANDIDATES = 100;
/** So many ids are counted before others get a turn: the store answers without leaving the event loop. */
const COUNTED_AT_ONCE = 20_000;
const ENDED = ['completed', 'failed', 'denied', 'expired', 'cancelled'];

/** Where the limits lie now; looked up once for everything that is to go. */
export async function findCutoff(
  read: Queries,
  { org, nowMs, limits }: { org: string; nowMs: number; limits: RetentionLimits },
): Promise<RetentionCutoff> {
  return { org, nowMs, cutoffMs: nowMs - limits.ageMs, surplusId: await findSurplusId(read, org, limits.count) };
}

/**
 * The oldest invocations after `afterId` that are past the limits and done with: ended, a day past the end of their
 * time, and with nothing that a node may still have to say. `nextId` is where to go on; undefined at the end.
 */
export async function findRemovable(
  read: Queries,
  { org, nowMs, cutoffMs, surplusId }: RetentionCutoff,
  afterId: string,
): Promise<Readonly<{ removable: Removable[]; nextId: string | undefined }>> {
  const throughId = [idOfTime(cutoffMs), surplusId].reduce((a, b) => (a > b ? a : b));
  const rows = await read
    .selectFrom('invocations')
    .select(['id', 'total', 'digest'])
    .where('org', '=', org)
    .where('id', '>', afterId)
    .where('id', '<=', throughId)
    .where(({ eb, or }) => or([eb('completed_at', '<', cutoffMs), eb('id', '<=', surplusId)]))
    .where('status', 'in', ENDED)
    .where('expires_at', '<', nowMs - AFTER_EXPIRY_MS)
    .orderBy('org')
    .orderBy('id')
    .limit(CANDIDATES)
    .execute();
  const last = rows.at(-1);
  if (last === undefined) return { removable: [], nextId: undefined };
  const ids = rows.map(({ id }) => id);
  const awaited = await findAwaited(read, ids, nowMs - UNRECEIPTED_MS);
  const executionIds = await findExecutionIds(read, ids);
  const removable = rows.flatMap((row) =>
    awaited.has(row.id) ? [] : [{ ...row, executionIds: executionIds.get(row.id) ?? [] }],
  );
  return { removable, nextId: last.id };
}

/** The newest invocation that is one too many; empty when there are not so many. */
async function findSurplusId(read: Queries, org: string, count: number): Promise<string> {
  let before: string | undefined;
  for (let left = count; left > COUNTED_AT_ONCE; left -= COUNTED_AT_ONCE) {
    before = await findNthId(read, { org, before, skip: COUNTED_AT_ONCE - 1 });
    if (before === undefined) return '';
    await setImmediate();
  }
  return (await findNthId(read, { org, before, skip: count % COUNTED_AT_ONCE || COUNTED_AT_ONCE })) ?? '';
}

async function findNthId(
  read: Queries,
  { org, before, skip }: { org: string; before: string | undefined; skip: number },
): Promise<string | undefined> {
  let query = read.selectFrom('invocations').select('id').where('org', '=', org).orderBy('id', 'desc');
  if (before !== undefined) query = query.where('id', '<', before);
  return (await query.offset(skip).limit(1).executeTakeFirst())?.id;
}

/** Those of which a node may still have a result or output that it has no receipt for. */
async function findAwaited(read: Queries, ids: readonly string[], sinceMs: number): Promise<ReadonlySet<string>> {
  const rows = await read
    .selectFrom('executions as e')
    .leftJoin('results as r', (join) =>
      join.onRef('r.execution_id', '=', 'e.execution_id').onRef('r.node', '=', 'e.node'),
    )
    .select('e.invocation_id')
    .distinct()
    .where('e.invocation_id', 'in', ids)
    .where(({ eb, or, and, selectFrom }) =>
      or([
        eb('e.open', '=', 1),
        and([eb('r.node', 'is', null), eb('e.request_sha256', 'is not', null), eb('e.ended_at', '>', sinceMs)]),
        and([
          eb('r.chunks', '>', 0),
          eb('r.received_at', '>', sinceMs),
          eb(
            selectFrom('outputs as o')
              .select(({ fn }) => fn.countAll<number>().as('n'))
              .whereRef('o.execution_id', '=', 'e.execution_id')
              .whereRef('o.node', '=', 'e.node'),
            '<',
            eb.ref('r.chunks'),
          ),
        ]),
      ]),
    )
    .execute();
  return new Set(rows.map(({ invocation_id }) => invocation_id));
}

async function findExecutionIds(read: Queries, ids: readonly string[]): Promise<ReadonlyMap<string, string[]>> {
  const rows = await read
    .selectFrom('executions')
    .select(['invocation_id', 'execution_id'])
    .distinct()
    .where('invocation_id', 'in', ids)
    .execute();
  const found = new Map<string, string[]>();
  for (const { invocation_id, execution_id } of rows) {
    found.set(invocation_id, [...(found.get(invocation_id) ?? []), execution_id]);
  }
  return found;
}
