import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** How far in the log of events each webhook has come. */
export const WEBHOOKS: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const STATEMENTS = [`create table webhook_positions (name text primary key, last_event_id bigint not null)`];
