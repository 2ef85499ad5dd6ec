import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** Who people are at the OpenID Connect provider: outlives the user, so that who was deleted here stays out. */
export const IDENTITIES: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql.raw(STATEMENT).execute(db);
    await sql.raw('create unique index identities_by_user on identities (org, user_id)').execute(db);
  },
};

const STATEMENT = `create table identities (
  org text not null, issuer text not null, subject text not null, user_id text not null, created_at bigint not null,
  primary key (org, issuer, subject))`;
