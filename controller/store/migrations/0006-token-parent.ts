import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** Which token a token was made through: it ends with that one. */
export const TOKEN_PARENT: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const STATEMENTS = [
  `alter table api_tokens add column parent text`,
  `create index api_tokens_parent on api_tokens (parent) where parent is not null`,
];
