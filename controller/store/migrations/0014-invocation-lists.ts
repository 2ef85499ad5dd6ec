import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** Every list of invocations reads its rows in the order in which it shows them, however many there are. */
export const INVOCATION_LISTS: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const STATEMENTS = [
  `create index invocations_by_org on invocations (org, id)`,
  `drop index invocations_by_action`,
  `create index invocations_by_action on invocations (org, action, status, id)`,
];
