import type { Selectable } from 'kysely';
import type { Queries } from './database.js';
import type { Tables } from './schema.js';

export type NodeKeyRow = Selectable<Tables['node_keys']>;

/** The node that this key was enrolled for, also when it has been revoked since. */
export function findNodeKey(queries: Queries, kid: string): Promise<NodeKeyRow | undefined> {
  return queries.selectFrom('node_keys').selectAll().where('kid', '=', kid).executeTakeFirst();
}

/** Keys that were revoked after this time, the newest `limit`, oldest first. */
export async function listRevokedKeys(
  read: Queries,
  { org, afterMs, limit }: { org: string; afterMs: number; limit: number },
): Promise<NodeKeyRow[]> {
  const rows = await read
    .selectFrom('node_keys')
    .selectAll()
    .where('org', '=', org)
    .where('revoked_at', '>', afterMs)
    .orderBy('revoked_at', 'desc')
    .orderBy('kid')
    .limit(limit)
    .execute();
  return rows.reverse();
}

/** When a key of the org was revoked last, milliseconds since 1970; undefined when none was. */
export async function lastRevocationMs(read: Queries, org: string): Promise<number | undefined> {
  const row = await read
    .selectFrom('node_keys')
    .select('revoked_at')
    .where('org', '=', org)
    .where('revoked_at', 'is not', null)
    .orderBy('revoked_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.revoked_at ?? undefined;
}
