import type { Kysely } from 'kysely';
import type { Tables } from './schema.js';

export type Queries = Kysely<Tables>;

/** The tables, wherever they are kept. */
export type Database = Readonly<{
  /** Sees what is committed, and only that. @throws {MusterError} storage_failed */
  read: Queries;
  /**
   * Runs `work` as one transaction, while no other transaction of this kind runs on the same tables, of this process or
   * another; it is on disk when it resolves.
   * @throws {MusterError} storage_failed; and whatever `work` throws
   */
  transact: (work: (tx: Queries) => Promise<void>) => Promise<void>;
  close: () => Promise<void>;
}>;
