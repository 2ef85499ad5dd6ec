import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** People with roles and passwords, and API tokens that belong to them and may expire. */
export const PEOPLE: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const STATEMENTS = [
  `create table users (
    org text not null, id text not null, role text not null, password_hash text, created_at bigint not null,
    created_by text not null, disabled_at bigint, primary key (org, id))`,
  `insert into users (org, id, role, created_at, created_by)
    select org, principal, min(role), min(created_at), 'controller' from api_tokens group by org, principal`,
  `alter table api_tokens add column name text not null default 'first'`,
  `alter table api_tokens add column created_by text not null default 'controller'`,
  `alter table api_tokens add column expires_at bigint`,
];
