import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** What waits for a person: the ask as it came, so that it can be planned anew when it is approved. */
export const APPROVALS: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const STATEMENTS = [
  `alter table invocations add column ask text`,
  `create index invocations_pending on invocations (org, expires_at) where status = 'pending'`,
];
