import type { TestScope } from './broker.js';
import { createDatabase } from './postgres.js';
import { temporaryDirectory } from './temporary-directory.js';

/** Names a PostgreSQL server on which the tests of the controller keep their stores. */
export const POSTGRES_VARIABLE = 'MUSTER_TEST_POSTGRES';

/** Where a test keeps a store: a directory of its own, or a database of its own on the server that was named. */
export async function storePlace(t: TestScope): Promise<string> {
  const server = process.env[POSTGRES_VARIABLE];
  return server === undefined ? temporaryDirectory(t) : createDatabase(t, server);
}

/** The setting that makes a controller use that server; none for the file in its own directory. */
export async function storeSetting(t: TestScope): Promise<{ store_url?: string }> {
  return process.env[POSTGRES_VARIABLE] === undefined ? {} : { store_url: await storePlace(t) };
}
