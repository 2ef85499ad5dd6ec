import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** An Idempotency-Key stands for whatever was made with it: an invocation, a user, a token. */
export const MADE_ONCE: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const STATEMENTS = [`alter table idempotency_keys rename column invocation_id to made_id`];
