import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** Restricted identities of programs, what each is connected to, and the order in which the asks of one came. */
export const SANDBOXES: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const STATEMENTS = [
  `create table sandboxes (
    id text primary key, org text not null, name text not null, status text not null,
    token_id text not null unique, secret_sha256 text not null, expires_at bigint,
    created_at bigint not null, created_by text not null)`,
  `create unique index sandboxes_by_name on sandboxes (org, name)`,
  `create table sandbox_connections (
    id text primary key, sandbox text not null, integration text, target text, actions text not null,
    created_at bigint not null)`,
  `create unique index sandbox_connections_by_integration on sandbox_connections (sandbox, integration)`,
  `create index invocations_of_asker on invocations (org, created_by, id)`,
];
