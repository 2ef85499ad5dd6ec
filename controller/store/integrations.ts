import type { Selectable } from 'kysely';
import type { Queries } from './database.js';
import type { Tables } from './schema.js';

export type IntegrationRow = Selectable<Tables['integrations']>;

/** Integrations of an org by name, after one when it is given. */
export function listIntegrations(
  read: Queries,
  { org, after = '', limit, status }: { org: string; after?: string | undefined; limit: number; status?: string },
): Promise<IntegrationRow[]> {
  let query = read.selectFrom('integrations').selectAll().where('org', '=', org).where('name', '>', after);
  if (status !== undefined) query = query.where('status', '=', status);
  return query.orderBy('name').limit(limit).execute();
}

/** The integration that has this name now. */
export function findIntegration(queries: Queries, org: string, name: string): Promise<IntegrationRow | undefined> {
  return queries
    .selectFrom('integrations')
    .selectAll()
    .where('org', '=', org)
    .where('name', '=', name)
    .executeTakeFirst();
}

/** An integration by its id, which no other one gets after it. */
export function findIntegrationById(queries: Queries, org: string, id: string): Promise<IntegrationRow | undefined> {
  return queries.selectFrom('integrations').selectAll().where('org', '=', org).where('id', '=', id).executeTakeFirst();
}

/** Adds an integration; false when its name is taken. */
export async function insertIntegration(tx: Queries, row: IntegrationRow): Promise<boolean> {
  const added = await tx
    .insertInto('integrations')
    .values(row)
    .onConflict((conflict) => conflict.columns(['org', 'name']).doNothing())
    .returning('id')
    .executeTakeFirst();
  return added !== undefined;
}

/** Switches an integration on or off; false when it is so already, or gone. */
export async function setIntegrationStatus(tx: Queries, id: string, status: string): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('integrations')
    .set({ status })
    .where('id', '=', id)
    .where('status', '!=', status)
    .executeTakeFirst();
  return Number(numUpdatedRows) > 0;
}

/** Removes an integration; its invocations stay and keep its name. False when it is gone already. */
export async function deleteIntegration(tx: Queries, id: string): Promise<boolean> {
  await tx.updateTable('invocations').set({ integration_id: null }).where('integration_id', '=', id).execute();
  const { numDeletedRows } = await tx.deleteFrom('integrations').where('id', '=', id).executeTakeFirst();
  return Number(numDeletedRows) > 0;
}
