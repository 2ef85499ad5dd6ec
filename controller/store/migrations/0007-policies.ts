import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** Every version of an org's policy, and the order in which somebody's asks came, for the limit on them. */
export const POLICIES: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const STATEMENTS = [
  `create table policies (
    org text not null, version integer not null, source text not null, document text not null, sha256 text not null,
    created_at bigint not null, created_by text not null, primary key (org, version))`,
  `create index invocations_by_asker on invocations (org, created_by, created_at)`,
];
