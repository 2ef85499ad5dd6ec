import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** Who was shown the token of a sandbox: what it asks for may be theirs. */
export const SANDBOX_HOLDERS: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql.raw('alter table sandboxes add column token_by text').execute(db);
    await sql.raw('update sandboxes set token_by = created_by').execute(db);
  },
};
