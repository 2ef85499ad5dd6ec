import type { Insertable, Selectable } from 'kysely';
import { fewSizesOf, padded } from '../grouping.js';
import type { Queries } from './database.js';
import type { ExecutionKey, ExecutionRow } from './executions.js';
import type { Tables } from './schema.js';

export type ResultRow = Selectable<Tables['results']>;

/** A statement that is kept holds the values of its last run. */
const ROWS_PER_INSERT = 64;

/** Adds results; the first for an execution stays. Gives the keys (`{execution_id}/{node}`) that were added. */
export async function insertResults(
  tx: Queries,
  rows: readonly Insertable<Tables['results']>[],
): Promise<ReadonlySet<string>> {
  const added = new Set<string>();
  for (const part of fewSizesOf(rows, ROWS_PER_INSERT)) {
    const inserted = await tx
      .insertInto('results')
      .values(part)
      .onConflict((conflict) => conflict.doNothing())
      .returning(['execution_id', 'node'])
      .execute();
    for (const { execution_id, node } of inserted) added.add(`${execution_id}/${node}`);
  }
  return added;
}

/** The stored result of an execution. */
export function findResult(queries: Queries, { executionId, node }: ExecutionKey): Promise<ResultRow | undefined> {
  return queries
    .selectFrom('results')
    .selectAll()
    .where('execution_id', '=', executionId)
    .where('node', '=', node)
    .executeTakeFirst();
}

/** The results of executions of one invocation, by node. */
export async function listResults(read: Queries, rows: readonly ExecutionRow[]): Promise<Map<string, ResultRow>> {
  const executionIds = [...new Set(rows.map(({ execution_id }) => execution_id))];
  if (executionIds.length === 0) return new Map();
  const nodes = rows.map(({ node }) => node);
  const results = await read
    .selectFrom('results')
    .selectAll()
    .where('execution_id', 'in', padded(executionIds))
    .where('node', 'in', padded(nodes))
    .execute();
  return new Map(results.map((row) => [row.node, row]));
}
