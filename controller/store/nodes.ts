import type { Insertable, Selectable, Updateable } from 'kysely';
import { groupBy } from '../grouping.js';
import type { Queries } from './database.js';
import type { Tables } from './schema.js';

export type NodeRow = Selectable<Tables['nodes']>;
export type HookPinRow = Selectable<Tables['hook_pins']>;

/** A node with what hangs on it. */
export type StoredNode = Readonly<{
  row: NodeRow;
  groups: readonly Selectable<Tables['node_groups']>[];
  pins: readonly HookPinRow[];
}>;

/** All nodes of the org that are not revoked, by id. */
export async function listNodeRows(read: Queries, org: string): Promise<StoredNode[]> {
  const rows = await read
    .selectFrom('nodes')
    .selectAll()
    .where('org', '=', org)
    .where('revoked_at', 'is', null)
    .orderBy('node')
    .execute();
  const groups = groupBy(await read.selectFrom('node_groups').selectAll().execute(), ({ node }) => node);
  const pins = groupBy(await read.selectFrom('hook_pins').selectAll().execute(), ({ node }) => node);
  return rows.map((row) => ({ row, groups: groups.get(row.node) ?? [], pins: pins.get(row.node) ?? [] }));
}

/** A node by id, also a revoked one. */
export function findNodeRow(queries: Queries, node: string): Promise<NodeRow | undefined> {
  return queries.selectFrom('nodes').selectAll().where('node', '=', node).executeTakeFirst();
}

/** Adds a node that was just enrolled, with its key and groups; one that was removed before is the same row anew. */
export async function insertNode(
  tx: Queries,
  row: Insertable<Tables['nodes']>,
  groups: readonly string[],
): Promise<void> {
  const { node, org, kid, public_jwk, enrolled_at, transport } = row;
  await tx
    .insertInto('nodes')
    .values(row)
    .onConflict((conflict) => conflict.column('node').doUpdateSet(row))
    .execute();
  if (transport !== 'http') {
    await tx.insertInto('node_keys').values({ kid, node, org, public_jwk, enrolled_at, revoked_at: null }).execute();
  }
  await insertGroups(
    tx,
    groups.map((group) => ({ node, group, since: enrolled_at })),
  );
}

/** Removes a node: its key or token is revoked, and only what it did is left. False when it was removed before. */
export async function revokeNode(tx: Queries, node: string, nowMs: number): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('nodes')
    .set({ revoked_at: nowMs })
    .where('node', '=', node)
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  if (Number(numUpdatedRows) === 0) return false;
  await tx
    .updateTable('node_keys')
    .set({ revoked_at: nowMs })
    .where('node', '=', node)
    .where('revoked_at', 'is', null)
    .execute();
  await tx.deleteFrom('node_tokens').where('node', '=', node).execute();
  await tx.deleteFrom('node_groups').where('node', '=', node).execute();
  await tx.deleteFrom('hook_pins').where('node', '=', node).execute();
  return true;
}

/** The groups of a node from now on. */
export async function replaceGroups(tx: Queries, node: string, groups: ReadonlyMap<string, number>): Promise<void> {
  await tx.deleteFrom('node_groups').where('node', '=', node).execute();
  await insertGroups(
    tx,
    [...groups].map(([group, since]) => ({ node, group, since })),
  );
}

async function insertGroups(tx: Queries, rows: readonly Insertable<Tables['node_groups']>[]): Promise<void> {
  if (rows.length === 0) return;
  await tx
    .insertInto('node_groups')
    .values([...rows])
    .execute();
}

/** Changes columns of one node, unless it has been removed. */
export async function updateNode(tx: Queries, node: string, changes: Updateable<Tables['nodes']>): Promise<void> {
  await tx.updateTable('nodes').set(changes).where('node', '=', node).where('revoked_at', 'is', null).execute();
}

/** Pins hooks that were seen for the first time. */
export async function insertHookPins(tx: Queries, pins: readonly HookPinRow[]): Promise<void> {
  if (pins.length === 0) return;
  await tx
    .insertInto('hook_pins')
    .values([...pins])
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** The checksum that a hook of a node is pinned to. */
export async function findHookPin(
  queries: Queries,
  { node, hook }: Pick<HookPinRow, 'node' | 'hook'>,
): Promise<string | undefined> {
  const row = await queries
    .selectFrom('hook_pins')
    .select('checksum')
    .where('node', '=', node)
    .where('hook', '=', hook)
    .executeTakeFirst();
  return row?.checksum;
}

/** Pins a hook to what somebody accepted. */
export async function replaceHookPin(tx: Queries, pin: HookPinRow): Promise<void> {
  const { checksum, pinned_at } = pin;
  await tx
    .insertInto('hook_pins')
    .values(pin)
    .onConflict((conflict) => conflict.columns(['node', 'hook']).doUpdateSet({ checksum, pinned_at }))
    .execute();
}
