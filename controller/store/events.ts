import type { Mask } from '../../runtime/masking/mask.js';
import { padded, slicesOf } from '../grouping.js';
import type { Event } from '../http/event-schemas.js';
import type { Queries, Tx } from './database.js';

/** What a transaction tells of; `org` is that of its invocation when it is absent. */
export type NewEvent = Readonly<{ org?: string; event: Event }>;

/** Events that follow each other, as they are stored. `at` is milliseconds since 1970. */
export type EventRow = Readonly<{ firstId: number; lastId: number; org: string; at: number; body: string }>;

const EVENTS_PER_ROW = 500;
/** Where a row is ended early, in characters of JSON. */
const CHARACTERS_PER_ROW = 128 * 1024;
const ROWS_PER_READ = 20;
const ROWS_PER_DELETE = 1_000;
const IDS_PER_QUERY = 512;

/**
 * Adds events to the log, as the last thing that a transaction does: the row of the head stays locked until it commits,
 * so ids come in the order of commits and none is missing, whichever controller writes.
 */
export async function appendEvents(tx: Tx, told: readonly NewEvent[], atMs: number): Promise<void> {
  if (told.length === 0) return;
  const { last_id } = await tx
    .updateTable('event_head')
    .set(({ eb }) => ({ last_id: eb('last_id', '+', told.length) }))
    .where('name', '=', 'head')
    .returning('last_id')
    .executeTakeFirstOrThrow();
  let nextId = Number(last_id) - told.length + 1;
  const orgs = await findOrgs(tx, told);
  for (const { org, events } of split(told, {
    orgOf: (each) => each.org ?? orgs.get(invocationOf(each.event) ?? '') ?? '',
    mask: tx.mask,
  })) {
    const first_id = nextId;
    nextId += events.length;
    const row = { first_id, last_id: nextId - 1, org, at: atMs, body: `[${events.join(',')}]` };
    await tx.insertInto('events').values(row).execute();
  }
}

/** Which invocation an event is about. */
export function invocationOf(event: Event): string | undefined {
  if ('invocation_id' in event) return event.invocation_id;
  return 'invocationId' in event ? event.invocationId : undefined;
}

async function findOrgs(tx: Queries, told: readonly NewEvent[]): Promise<ReadonlyMap<string, string>> {
  const ids = [...new Set(told.flatMap(({ org, event }) => (org === undefined ? (invocationOf(event) ?? []) : [])))];
  const orgs = new Map<string, string>();
  for (const part of slicesOf(ids, IDS_PER_QUERY)) {
    const rows = await tx.selectFrom('invocations').select(['id', 'org']).where('id', 'in', padded(part)).execute();
    for (const { id, org } of rows) orgs.set(id, org);
  }
  return orgs;
}

/** Runs of events of one org, as JSON. */
function* split(
  told: readonly NewEvent[],
  { orgOf, mask }: { orgOf: (each: NewEvent) => string; mask: Mask },
): Generator<{ org: string; events: string[] }> {
  let run: { org: string; events: string[]; length: number } | undefined;
  for (const each of told) {
    const org = orgOf(each);
    const json = JSON.stringify(mask.json(each.event));
    if (
      run !== undefined &&
      (run.org !== org || run.events.length >= EVENTS_PER_ROW || run.length > CHARACTERS_PER_ROW)
    ) {
      yield run;
      run = undefined;
    }
    run ??= { org, events: [], length: 0 };
    run.events.push(json);
    run.length += json.length;
  }
  if (run !== undefined) yield run;
}

/** The id of the newest event, 0 when there was none yet. */
export async function findEventHead(read: Queries): Promise<number> {
  const row = await read
    .selectFrom('event_head')
    .select('last_id')
    .where('name', '=', 'head')
    .executeTakeFirstOrThrow();
  return Number(row.last_id);
}

/** The next rows that hold events after this id, oldest first, at most so many; empty when there is none. */
export async function readEvents(read: Queries, afterId: number, limit = ROWS_PER_READ): Promise<EventRow[]> {
  const rows = await read
    .selectFrom('events')
    .selectAll()
    .where('last_id', '>', afterId)
    .orderBy('last_id')
    .limit(limit)
    .execute();
  return rows.map(({ first_id, last_id, org, at, body }) => ({
    firstId: Number(first_id),
    lastId: Number(last_id),
    ...{ org, at: Number(at), body },
  }));
}

/**
 * Forgets the oldest events, up to this id and those from before this time, a part of them at a time: true when there
 * may be more. It ends at the first that is kept, so that what is left has no gap.
 */
export async function deleteOldEvents(
  tx: Queries,
  { upToId, beforeMs }: { upToId: number; beforeMs: number },
): Promise<boolean> {
  const rows = await tx
    .selectFrom('events')
    .select(['last_id', 'at'])
    .orderBy('last_id')
    .limit(ROWS_PER_DELETE)
    .execute();
  const kept = rows.findIndex(({ last_id, at }) => Number(last_id) > upToId && Number(at) >= beforeMs);
  const last = (kept === -1 ? rows : rows.slice(0, kept)).at(-1);
  if (last === undefined) return false;
  await tx.deleteFrom('events').where('last_id', '<=', last.last_id).execute();
  return kept === -1 && rows.length === ROWS_PER_DELETE;
}
