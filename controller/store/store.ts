import { join } from 'node:path';
import { type Clock, SYSTEM_CLOCK } from '../../runtime/clock.js';
import { type Mask, NO_MASK } from '../../runtime/masking/mask.js';
import type { Seal } from './audit-seal.js';
import type { Database, Queries } from './database.js';
import { watchCommits } from './health.js';
import { openPostgres } from './postgres.js';
import { openSqlite } from './sqlite.js';
import { createWriter, type WriteWork } from './writer.js';

/** The controller's durable state. */
export type Store = Readonly<{
  /** Sees what is committed, and only that. @throws {MusterError} storage_failed */
  read: Queries;
  write: <T>(work: WriteWork<T>, options?: { lazy?: boolean }) => Promise<T>;
  /** The same store for one term of a controller that leads: when another one has begun, it writes no more. */
  inTerm: (fence: number) => Store;
  /** True from a commit that failed for want of the disk or the server until the next one that is done. */
  isFailing: () => boolean;
  /** Calls back after each commit here that told of something, until the returned function is called. */
  onEvents: (listener: () => void) => () => void;
  close: () => Promise<void>;
}>;

export const DATABASE_FILE = 'muster.db';

/** What names a database on a PostgreSQL server, and not a directory. */
export const POSTGRES_URL = /^postgres(ql)?:\/\//;

/**
 * Opens or makes the store and brings it to this release's shape. `place` is a directory, for a SQLite file of its own,
 * or the URL of a PostgreSQL database. `seal` surrounds each transaction, and looks at the trail at once. `onDoubt` is told when a commit
 * may or may not have happened, because the server went away with the answer.
 * @throws {MusterError} storage_failed, store_too_new
 */
export async function openStore(
  place: string,
  {
    clock = SYSTEM_CLOCK,
    seal,
    mask = NO_MASK,
    onDoubt,
  }: { clock?: Clock; seal?: Seal | undefined; mask?: Mask; onDoubt?: () => void } = {},
): Promise<Store> {
  const { database, isFailing } = watchCommits(
    POSTGRES_URL.test(place) ? await openPostgres(place, onDoubt) : await openSqlite(join(place, DATABASE_FILE)),
  );
  try {
    if (seal !== undefined) await lookAtEnd(database, seal);
  } catch (error) {
    await database.close();
    throw error;
  }
  const listeners = new Set<() => void>();
  const tellListeners = (): void => {
    for (const listener of listeners) listener();
  };
  const writer = createWriter(database, { clock, seal, mask, onEvents: tellListeners });
  const inTerm = (fence: number | undefined): Store => ({
    read: database.read,
    write: (work, options = {}) => writer.write(work, { ...options, fence }),
    inTerm,
    isFailing,
    onEvents(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async close() {
      await writer.stop();
      await database.close();
    },
  });
  return inTerm(undefined);
}

/** What was signed last is looked at before anybody works with the store. */
async function lookAtEnd({ transact }: Database, seal: Seal): Promise<void> {
  await transact(async (queries) => {
    const tx = Object.assign(queries, { trail: undefined });
    await seal.begin(tx);
    await seal.end(tx);
  });
  seal.committed();
}
