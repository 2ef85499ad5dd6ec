import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** What somebody wants to end: who asked for it and when, and the executions that have not answered yet. */
export const CANCEL: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const STATEMENTS = [
  `alter table invocations add column cancel_requested_at bigint`,
  `alter table invocations add column cancel_requested_by text`,
  `alter table executions add column cancelling integer not null default 0`,
];
