import { InvocationStatus } from '../http/schemas.js';
import type { Queries } from './database.js';
import type { InvocationRow } from './invocations.js';

/** Which invocations of an org are wanted, and how many at most. */
type Wanted = Readonly<{
  org: string;
  /** The id behind which the page begins; undefined for the first one. */
  before: string | undefined;
  limit: number;
  status?: readonly string[] | undefined;
  action?: string | undefined;
  node?: string | undefined;
  since?: string | undefined;
  created_by?: string | undefined;
}>;

/** An id may have been made by a clock that was set back by so much since. */
const CLOCK_MARGIN_MS = 60_000;

/**
 * The newest invocations of an org, newest first. What is asked of a million rows has to come from as many of them as
 * are shown, since nothing else is done meanwhile: each state is read by itself from an index that has it in order. All
 * of them in one statement: between two of them an invocation may go on from one state to another.
 */
export async function findInvocations(read: Queries, wanted: Wanted): Promise<InvocationRow[]> {
  const { status, action, node, limit, created_by } = wanted;
  if (node !== undefined) return findOnNode(read, { ...wanted, node });
  if (created_by !== undefined) return findOfAsker(read, { ...wanted, created_by });
  const states = status ?? (action === undefined ? undefined : InvocationStatus.options);
  if (states === undefined) return newest(read, wanted).execute();
  const [first, ...others] = [...new Set(states)].map((state) =>
    read.selectFrom(newest(read, wanted).where('status', '=', state).as('of_state')).selectAll(),
  );
  if (first === undefined) return [];
  const rows = await others.reduce((all, each) => all.unionAll(each), first).execute();
  return rows.sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, limit);
}

function newest(read: Queries, { org, before, limit, action, since }: Omit<Wanted, 'status' | 'node'>) {
  let query = read.selectFrom('invocations').selectAll().where('org', '=', org).orderBy('id', 'desc').limit(limit);
  if (before !== undefined) query = query.where('id', '<', before);
  if (action !== undefined) query = query.where('action', '=', action);
  if (since === undefined) return query;
  const sinceMs = Date.parse(since);
  return query.where('created_at', '>=', sinceMs).where('id', '>=', idOfTime(sinceMs - CLOCK_MARGIN_MS));
}

/** From an index that has what one asker made in order; the rest is looked at in those rows. */
function findOfAsker(
  read: Queries,
  { created_by, status, ...wanted }: Wanted & Readonly<{ created_by: string }>,
): Promise<InvocationRow[]> {
  const query = newest(read, wanted).where('created_by', '=', created_by);
  return (status === undefined ? query : query.where('status', 'in', status)).execute();
}

/** From the executions of the node on: it has few in comparison, and an invocation is there once. */
function findOnNode(
  read: Queries,
  { org, before, limit, status, action, node, since, created_by }: Wanted & Readonly<{ node: string }>,
): Promise<InvocationRow[]> {
  let query = read
    .selectFrom('executions')
    .innerJoin('invocations', 'invocations.id', 'executions.invocation_id')
    .selectAll('invocations')
    .where('executions.node', '=', node)
    .where('invocations.org', '=', org)
    .orderBy('executions.invocation_id', 'desc')
    .limit(limit);
  if (before !== undefined) query = query.where('executions.invocation_id', '<', before);
  if (status !== undefined) query = query.where('invocations.status', 'in', status);
  if (action !== undefined) query = query.where('invocations.action', '=', action);
  if (since !== undefined) query = query.where('invocations.created_at', '>=', Date.parse(since));
  if (created_by !== undefined) query = query.where('invocations.created_by', '=', created_by);
  return query.execute();
}

/** Invocation ids are UUIDv7: this sorts before every id that was made at this time or later. */
export function idOfTime(ms: number): string {
  const hex = Math.max(0, Math.floor(ms)).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}
