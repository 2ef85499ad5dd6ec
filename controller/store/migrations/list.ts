import { type Migration, Migrator } from 'kysely';
import { isMusterError, MusterError } from '../../../protocol/errors.js';
import type { Queries } from '../database.js';
import { INITIAL } from './0001-initial.js';
import { LOCAL_ORIGIN } from './0002-local-origin.js';
import { CANCEL } from './0003-cancel.js';
import { PEOPLE } from './0004-people.js';
import { APPROVALS } from './0005-approvals.js';
import { TOKEN_PARENT } from './0006-token-parent.js';
import { POLICIES } from './0007-policies.js';
import { EVENTS } from './0008-events.js';
import { BATCHES } from './0009-batches.js';
import { RESULT_GROUPS } from './0009-result-groups.js';
import { LEASE } from './0010-lease.js';
import { NODE_KEYS } from './0011-node-keys.js';
import { POLLING } from './0013-polling.js';
import { INVOCATION_LISTS } from './0014-invocation-lists.js';
import { INTEGRATIONS } from './0030-integrations.js';
import { SANDBOXES } from './0031-sandboxes.js';
import { MADE_ONCE } from './0032-made-once.js';
import { WEBHOOKS } from './0032-webhooks.js';
import { SANDBOX_HOLDERS } from './0033-sandbox-holders.js';
import { HOLDERS } from './0036-holders.js';
import { WEBHOOKS_SET_ASIDE } from './0037-webhooks-set-aside.js';
import { IDENTITIES } from './0038-identities.js';
import { MASKED_EVIDENCE } from './0038-masked-evidence.js';
import { GRANTS } from './0039-grants.js';
import { GRANT_ORIGINS } from './0040-grant-origins.js';

/** Every migration by its name, forward only; the names sort in the order in which they run. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-initial': INITIAL,
  '0002-local-origin': LOCAL_ORIGIN,
  '0003-cancel': CANCEL,
  '0004-people': PEOPLE,
  '0005-approvals': APPROVALS,
  '0006-token-parent': TOKEN_PARENT,
  '0007-policies': POLICIES,
  '0008-events': EVENTS,
  '0009-batches': BATCHES,
  '0009-result-groups': RESULT_GROUPS,
  '0010-lease': LEASE,
  '0011-node-keys': NODE_KEYS,
  '0013-polling': POLLING,
  '0014-invocation-lists': INVOCATION_LISTS,
  '0030-integrations': INTEGRATIONS,
  '0031-sandboxes': SANDBOXES,
  '0032-made-once': MADE_ONCE,
  '0032-webhooks': WEBHOOKS,
  '0033-sandbox-holders': SANDBOX_HOLDERS,
  '0036-holders': HOLDERS,
  '0037-webhooks-set-aside': WEBHOOKS_SET_ASIDE,
  '0038-identities': IDENTITIES,
  '0038-masked-evidence': MASKED_EVIDENCE,
  '0039-grants': GRANTS,
  '0040-grant-origins': GRANT_ORIGINS,
};

/**
 * Brings the tables to this release's shape.
 * @throws {MusterError} store_too_new; storage_failed: a migration failed
 */
export async function migrate(queries: Queries): Promise<void> {
  const migrator = new Migrator({ db: queries, provider: { getMigrations: async () => ({ ...MIGRATIONS }) } });
  await refuseNewer(queries);
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  if (isMusterError(error)) throw error; // it says what the database did not do
  throw new MusterError('storage_failed', 'The database could not be brought to the shape of this release', {
    cause: error,
  });
}

/** Whether the tables have this release's shape, for whoever must not change them. */
export async function isMigrated(queries: Queries): Promise<boolean> {
  const applied = await listApplied(queries);
  return applied.length === Object.keys(MIGRATIONS).length && applied.every((name) => Object.hasOwn(MIGRATIONS, name));
}

async function refuseNewer(queries: Queries): Promise<void> {
  const unknown = (await listApplied(queries)).find((name) => !Object.hasOwn(MIGRATIONS, name));
  if (unknown !== undefined) {
    throw new MusterError('store_too_new', `The database was written by a newer release (it has ${unknown})`);
  }
}

async function listApplied(queries: Queries): Promise<string[]> {
  const tables = await queries.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some(({ name }) => name === 'kysely_migration')) return [];
  const applied = await queries
    .withTables<{ kysely_migration: { name: string } }>()
    .selectFrom('kysely_migration')
    .select('name')
    .execute();
  return applied.map(({ name }) => name);
}
