import type { TestScope } from '../../support/broker.js';
import { createDatabase, lacksPostgres, startPostgres, type TestPostgres } from '../../support/postgres.js';
import type { Scenario } from '../scenario.js';

/** Where a controller keeps its records: in a file of its own, or in a database. */
export type StoreKind = 'sqlite' | 'postgres';

/** A server that a scenario may harm, and its database; undefined where the store is a file. */
export type StoreServer = Readonly<{ server: TestPostgres; url: string }> | undefined;

/** The same scenario on each kind of store; the kind stands in its name. */
export function onEachStore(make: (kind: StoreKind) => Scenario): readonly Scenario[] {
  return [make('sqlite'), make('postgres')];
}

/** Why this machine has no such store; undefined when it has. */
export function lacksStore(kind: StoreKind): string | undefined {
  return kind === 'postgres' ? lacksPostgres() : undefined;
}

/** Starts what the store needs. `parent`: the directory of the server's files; a temporary one when absent. */
export async function startStoreServer(scope: TestScope, kind: StoreKind, parent?: string): Promise<StoreServer> {
  if (kind === 'sqlite') return undefined;
  const server = await startPostgres(scope, SETTINGS, parent);
  if (server === undefined) throw new Error('PostgreSQL has gone');
  return { server, url: await createDatabase(scope, server.url) };
}

/** The setting of a controller that uses it. */
export function storeSettings(server: StoreServer): Readonly<Record<string, string>> {
  return server === undefined ? {} : { store_url: server.url };
}

/** So that its log fits on a small disk. */
const SETTINGS = ['min_wal_size=32MB', 'max_wal_size=64MB'];
