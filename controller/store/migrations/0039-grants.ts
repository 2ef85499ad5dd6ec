import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** Approvals that are given beforehand: for which asks, how many of them, and until when. */
export const GRANTS: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const STATEMENTS = [
  `create table grants (
    id text primary key, org text not null, sandbox text, target text, integration text, actions text not null,
    max_calls bigint, used bigint not null, expires_at bigint not null, invocation_id text,
    created_at bigint not null, created_by text not null, role text not null, holders text not null,
    last_used_at bigint, revoked_at bigint, revoked_by text)`,
  'create index grants_by_org on grants (org, id)',
  'create index grants_of_invocation on grants (invocation_id)',
];
