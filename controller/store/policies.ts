import type { Selectable } from 'kysely';
import type { Queries } from './database.js';
import type { Tables } from './schema.js';

export type PolicyRow = Selectable<Tables['policies']>;

/** So many versions are kept of each org; the audit log keeps the hash of every one. */
const MAX_KEPT = 500;

/** The version of the policy in force; 0 when the org never had one. */
export async function findPolicyVersion(queries: Queries, org: string): Promise<number> {
  const row = await queries
    .selectFrom('policies')
    .select('version')
    .where('org', '=', org)
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.version ?? 0;
}

/** One version of a policy, the one in force when none is named; undefined when there is none such. */
export function findPolicyRow(queries: Queries, org: string, version?: number): Promise<PolicyRow | undefined> {
  let query = queries.selectFrom('policies').selectAll().where('org', '=', org);
  if (version !== undefined) query = query.where('version', '=', version);
  return query.orderBy('version', 'desc').limit(1).executeTakeFirst();
}

/** The versions below `before`, newest first. */
export function listPolicyRows(
  queries: Queries,
  { org, before, limit }: { org: string; before: number | undefined; limit: number },
): Promise<Omit<PolicyRow, 'document'>[]> {
  let query = queries
    .selectFrom('policies')
    .select(['org', 'version', 'source', 'sha256', 'created_at', 'created_by'])
    .where('org', '=', org);
  if (before !== undefined) query = query.where('version', '<', before);
  return query.orderBy('version', 'desc').limit(limit).execute();
}

/** Adds a version, which is in force from the commit on, and lets go of those that are older than is kept. */
export async function insertPolicy(tx: Queries, row: PolicyRow): Promise<void> {
  await tx.insertInto('policies').values(row).execute();
  await tx
    .deleteFrom('policies')
    .where('org', '=', row.org)
    .where('version', '<=', row.version - MAX_KEPT)
    .execute();
}
