import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** Invocations in batches: how they are cut, how far they have come, and which batch each execution belongs to. */
export const BATCHES: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const STATEMENTS = [
  `alter table invocations add column batch text`,
  `alter table invocations add column batches_begun integer`,
  `alter table invocations add column batch_stopped_at bigint`,
  `alter table executions add column batch integer`,
];
