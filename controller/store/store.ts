import { join } from 'node:path';
import { type Clock, SYSTEM_CLOCK } from '../../runtime/clock.js';
import type { Seal } from './audit-seal.js';
import type { Queries } from './database.js';
import { openPostgres } from './postgres.js';
import { openSqlite } from './sqlite.js';
import { createWriter, type Writer } from './writer.js';

/** The controller's durable state. */
export type Store = Readonly<{
  /** Sees what is committed, and only that. @throws {MusterError} storage_failed */
  read: Queries;
  write: Writer['write'];
  /** Calls back after each commit here that told of something, until the returned function is called. */
  onEvents: (listener: () => void) => () => void;
  close: () => Promise<void>;
}>;

export const DATABASE_FILE = 'muster.db';

/** What names a database on a PostgreSQL server, and not a directory. */
export const POSTGRES_URL = /^postgres(ql)?:\/\//;

/**
 * Opens or makes the store and brings it to this release's shape. `place` is a directory, for a SQLite file of its own,
 * or the URL of a PostgreSQL database. `seal` ends each transaction, and is run at once.
 * @throws {MusterError} storage_failed
 */
export async function openStore(
  place: string,
  { clock = SYSTEM_CLOCK, seal }: { clock?: Clock; seal?: Seal | undefined } = {},
): Promise<Store> {
  const database = POSTGRES_URL.test(place) ? await openPostgres(place) : await openSqlite(join(place, DATABASE_FILE));
  try {
    if (seal !== undefined) await database.transact(seal); // what was signed last is looked at before anything is added
  } catch (error) {
    await database.close();
    throw error;
  }
  const listeners = new Set<() => void>();
  const onEvents = (): void => {
    for (const listener of listeners) listener();
  };
  const writer = createWriter(database, { clock, seal, onEvents });
  return {
    read: database.read,
    write: writer.write,
    onEvents(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async close() {
      await writer.stop();
      await database.close();
    },
  };
}
