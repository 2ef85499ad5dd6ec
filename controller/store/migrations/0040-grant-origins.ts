import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** What stood behind the names of a grant when it was made, and the token that it was made with. */
export const GRANT_ORIGINS: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql.raw('alter table grants add column definitions text').execute(db);
    await sql.raw('alter table grants add column token text').execute(db);
  },
};
