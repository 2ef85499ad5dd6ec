import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** What people ran on a node itself is an invocation like all others, and no table of its own. */
export const LOCAL_ORIGIN: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql.raw(`alter table invocations add column origin text not null default 'api'`).execute(db);
    await sql.raw('drop table local_results').execute(db);
  },
};
