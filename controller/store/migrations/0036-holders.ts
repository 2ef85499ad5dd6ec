import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

type Token = { id: string; created_by: string; parent: string | null; holders: string };

/** Who was shown a token or a password, and so can act as somebody else. */
export const HOLDERS: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
    await fillTokens(db.withTables<{ api_tokens: Token }>());
  },
};

/** As JSON; names of users hold nothing that JSON would escape. */
const STATEMENTS = [
  `alter table api_tokens add column holders text not null default '[]'`,
  `alter table users add column password_holders text not null default '[]'`,
  `alter table sandboxes add column holders text not null default '[]'`,
  `update sandboxes set holders = '["' || created_by || '","' || coalesce(token_by, created_by) || '"]'`,
  `alter table sandboxes drop column token_by`,
  `alter table invocations add column askers text`,
];

/** Whoever made a token was shown it, and so was whoever made the token through which they did. */
async function fillTokens(db: Kysely<{ api_tokens: Token }>): Promise<void> {
  const rows = await db.selectFrom('api_tokens').select(['id', 'created_by', 'parent']).execute();
  const byId = new Map(rows.map((row) => [row.id, row]));
  for (const row of rows) {
    const holders = new Set<string>();
    for (let each: typeof row | undefined = row; each !== undefined; each = byId.get(each.parent ?? '')) {
      if (each.created_by !== 'controller') holders.add(each.created_by);
    }
    await db
      .updateTable('api_tokens')
      .set({ holders: JSON.stringify([...holders]) })
      .where('id', '=', row.id)
      .execute();
  }
}
