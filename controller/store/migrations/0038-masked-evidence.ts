import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** What came with a registered value in it: sealed, beside the masked copy that is shown. */
export const MASKED_EVIDENCE: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const STATEMENTS = [
  `alter table results add column sealed text`,
  `alter table outputs add column sealed text`,
  `alter table outputs add column octets integer`,
];
