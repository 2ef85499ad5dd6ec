import type { Insertable, Selectable } from 'kysely';
import { fewSizesOf, groupBy } from '../grouping.js';
import type { Queries } from './database.js';
import type { ExecutionKey } from './executions.js';
import type { Tables } from './schema.js';

export type OutputRow = Selectable<Tables['outputs']>;

const ROWS_PER_INSERT = 128;

/** Adds pieces of output; a piece that came before stays as it was. Gives the keys (`{execution_id}/{node}/{seq}`) added. */
export async function insertOutputs(
  tx: Queries,
  rows: readonly Insertable<Tables['outputs']>[],
): Promise<ReadonlySet<string>> {
  const added = new Set<string>();
  for (const part of fewSizesOf(rows, ROWS_PER_INSERT)) {
    const inserted = await tx
      .insertInto('outputs')
      .values(part)
      .onConflict((conflict) => conflict.doNothing())
      .returning(['execution_id', 'node', 'seq'])
      .execute();
    for (const { execution_id, node, seq } of inserted) added.add(`${execution_id}/${node}/${seq}`);
  }
  return added;
}

/** The `seq` of the first piece that is missing of `chunks`; undefined when all are held. */
export async function firstMissingOutput(
  queries: Queries,
  { executionId, node }: ExecutionKey,
  chunks: number,
): Promise<number | undefined> {
  const rows = await queries
    .selectFrom('outputs')
    .select('seq')
    .where('execution_id', '=', executionId)
    .where('node', '=', node)
    .where('seq', '<', chunks)
    .orderBy('seq')
    .execute();
  if (rows.length === chunks) return undefined;
  const gap = rows.findIndex(({ seq }, index) => seq !== index);
  return gap === -1 ? rows.length : gap;
}

/** One piece. */
export function findOutput(
  queries: Queries,
  { executionId, node }: ExecutionKey,
  seq: number,
): Promise<Pick<OutputRow, 'seq'> | undefined> {
  return queries
    .selectFrom('outputs')
    .select('seq')
    .where('execution_id', '=', executionId)
    .where('node', '=', node)
    .where('seq', '=', seq)
    .executeTakeFirst();
}

/** The newest piece of a stream before this one. */
export function lastOutputBefore(
  queries: Queries,
  { executionId, node }: ExecutionKey,
  { stream, seq }: Pick<OutputRow, 'stream' | 'seq'>,
): Promise<Pick<OutputRow, 'execution_id' | 'node' | 'seq' | 'sealed'> | undefined> {
  return queries
    .selectFrom('outputs')
    .select(['execution_id', 'node', 'seq', 'sealed'])
    .where('execution_id', '=', executionId)
    .where('node', '=', node)
    .where('stream', '=', stream)
    .where('seq', '<', seq)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** The pieces of one stream, in order. */
export async function listOutputs(
  read: Queries,
  { executionId, node }: ExecutionKey,
  stream: 'stdout' | 'stderr',
): Promise<OutputRow[]> {
  const rows = await read
    .selectFrom('outputs')
    .selectAll()
    .where('execution_id', '=', executionId)
    .where('node', '=', node)
    .orderBy('seq')
    .execute();
  return groupBy(rows, (row) => row.stream).get(stream) ?? [];
}
