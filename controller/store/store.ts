import { join } from 'node:path';
import type { Queries } from './database.js';
import { openPostgres } from './postgres.js';
import { openSqlite } from './sqlite.js';
import { createWriter, type Writer } from './writer.js';

/** The controller's durable state. */
export type Store = Readonly<{
  /** Sees what is committed, and only that. @throws {MusterError} storage_failed */
  read: Queries;
  write: Writer['write'];
  close: () => Promise<void>;
}>;

export const DATABASE_FILE = 'muster.db';

/** What names a database on a PostgreSQL server, and not a directory. */
export const POSTGRES_URL = /^postgres(ql)?:\/\//;

/**
 * Opens or makes the store and brings it to this release's shape. `place` is a directory, for a SQLite file of its own,
 * or the URL of a PostgreSQL database.
 * @throws {MusterError} storage_failed
 */
export async function openStore(place: string): Promise<Store> {
  const database = POSTGRES_URL.test(place) ? await openPostgres(place) : await openSqlite(join(place, DATABASE_FILE));
  const writer = createWriter(database);
  return {
    read: database.read,
    write: writer.write,
    async close() {
      await writer.stop();
      await database.close();
    },
  };
}
