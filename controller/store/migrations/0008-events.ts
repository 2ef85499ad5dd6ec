import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** What open streams are told, many events to a row, and the number of the newest event. */
export const EVENTS: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const STATEMENTS = [
  `create table event_head (name text primary key, last_id bigint not null)`,
  `insert into event_head (name, last_id) values ('head', 0)`,
  `create table events (
    last_id bigint primary key, first_id bigint not null, org text not null, at bigint not null, body text not null)`,
];
