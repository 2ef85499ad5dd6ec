import { type Kysely, type Migration, sql } from 'kysely';
import { z } from 'zod';
import { decodeBase64Url } from '../../../protocol/base64url.js';
import { outcomeColumns } from '../outcome-columns.js';

/** What like results are found by, beside the signed result, and the ways by which lists are narrowed. */
export const RESULT_GROUPS: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
    await fillIn(db.withTables<{ results: ResultColumns }>());
  },
};

const STATEMENTS = [
  `alter table results add column exit_code integer`,
  `alter table results add column error_code text`,
  `alter table results add column output_sha256 text`,
  `create index executions_by_node on executions (node, invocation_id)`,
  `create index invocations_by_status on invocations (org, status, id)`,
  `create index invocations_by_action on invocations (org, action, id)`,
];

type ResultColumns = {
  execution_id: string;
  node: string;
  jws: string;
  exit_code: number | null;
  error_code: string | null;
  output_sha256: string | null;
};

const ROWS_PER_PAGE = 200;

const Stored = z.object({
  exit_code: z.int(),
  error_code: z.string().optional(),
  stdout_sha256: z.string(),
  stderr_sha256: z.string(),
  stdout_truncated: z.boolean(),
  stderr_truncated: z.boolean(),
});

/** Of the results that are there already, a page at a time. */
async function fillIn(db: Kysely<{ results: ResultColumns }>): Promise<void> {
  for (;;) {
    const rows = await db
      .selectFrom('results')
      .select(['execution_id', 'node', 'jws'])
      .where('output_sha256', 'is', null)
      .limit(ROWS_PER_PAGE)
      .execute();
    for (const { execution_id, node, jws } of rows) {
      const payload = decodeBase64Url(jws.split('.', 2)[1] ?? '') ?? Buffer.alloc(0);
      await db
        .updateTable('results')
        .set(outcomeColumns(Stored.parse(JSON.parse(payload.toString('utf8')))))
        .where('execution_id', '=', execution_id)
        .where('node', '=', node)
        .execute();
    }
    if (rows.length < ROWS_PER_PAGE) return;
  }
}
