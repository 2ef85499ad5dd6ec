import type { Kysely } from 'kysely';
import type { Mask } from '../../runtime/masking/mask.js';
import type { AuditEnd } from './audit.js';
import type { NewEvent } from './events.js';
import type { Tables } from './schema.js';

export type Queries = Kysely<Tables>;

/**
 * Queries inside a transaction of the writer, which also tells of what it changes: streams hear it after the commit.
 * What is told, and what the audit trail says, goes through `mask`.
 */
export type Tx = Queries & Readonly<{ tell: (event: NewEvent) => void; mask: Mask }> & Trail;

/** Where the audit trail ends in a transaction, once that was looked up there: nobody else adds to it meanwhile. */
export type Trail = { trail: { end: AuditEnd | undefined } | undefined };

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
