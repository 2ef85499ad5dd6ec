import type { Selectable } from 'kysely';
import { z } from 'zod';
import { sha256Hex } from '../../protocol/envelope.js';
import { Selector } from '../../protocol/selectors.js';
import { SandboxStatus } from '../http/sandbox-schemas.js';
import { readHolders } from '../identity/holders.js';
import type { Principal } from '../services.js';
import type { Queries } from '../store/database.js';
import type { Tables } from '../store/schema.js';
import { type Connected, createReach } from './reach.js';

export type SandboxRow = Selectable<Tables['sandboxes']>;
export type ConnectionRow = Selectable<Tables['sandbox_connections']>;
/** With the name that its integration has now; null for nodes, and when it was removed. */
export type NamedConnection = ConnectionRow & Readonly<{ integration_name: string | null }>;

/** Where records name a principal; no user may be called so. */
const PRINCIPAL_PREFIX = 'sandbox:';

/** By what name a sandbox asks. */
export function principalIdOf(sandbox: string): string {
  return `${PRINCIPAL_PREFIX}${sandbox}`;
}

/** The sandbox that a principal is; undefined for people. */
export function sandboxOf(principalId: string): string | undefined {
  return principalId.startsWith(PRINCIPAL_PREFIX) ? principalId.slice(PRINCIPAL_PREFIX.length) : undefined;
}

/** One sandbox of an org; undefined when there is none such. */
export function findSandbox(queries: Queries, org: string, id: string): Promise<SandboxRow | undefined> {
  return queries.selectFrom('sandboxes').selectAll().where('org', '=', org).where('id', '=', id).executeTakeFirst();
}

/** The connections of these sandboxes, in the order in which they were named. */
export async function findConnections(queries: Queries, sandboxes: readonly string[]): Promise<NamedConnection[]> {
  if (sandboxes.length === 0) return [];
  return queries
    .selectFrom('sandbox_connections')
    .leftJoin('integrations', 'integrations.id', 'sandbox_connections.integration')
    .selectAll('sandbox_connections')
    .select('integrations.name as integration_name')
    .where('sandbox', 'in', sandboxes)
    .orderBy('sandbox_connections.id')
    .execute();
}

const Patterns = z.array(z.string());

/** A connection, as it is kept. */
export function readConnection({ integration, target, actions: patterns }: ConnectionRow): Connected {
  const actions = Patterns.parse(JSON.parse(patterns));
  return integration === null
    ? { target: Selector.parse(JSON.parse(target ?? 'null')), actions }
    : { integration, actions };
}

/** What the audit trail knows the connections of a sandbox by. */
export function connectionsDigest(rows: readonly ConnectionRow[]): string {
  return sha256Hex(JSON.stringify(rows.map(({ integration, target, actions }) => [integration, target, actions])));
}

/** A sandbox as it stands now, as the one who asks. */
export async function readPrincipal(queries: Queries, row: SandboxRow): Promise<Principal> {
  const connections = (await findConnections(queries, [row.id])).map(readConnection);
  return {
    ...{ id: principalIdOf(row.id), org: row.org, role: 'sandbox' },
    sandbox: {
      ...{ id: row.id, name: row.name },
      isPaused: SandboxStatus.parse(row.status) === 'paused',
      holders: readHolders(row.holders),
      reach: createReach(connections),
    },
  };
}
