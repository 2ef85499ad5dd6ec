import type { Insertable, Selectable, UpdateObject } from 'kysely';
import { fewSizesOf, groupBy, padded, slicesOf } from '../grouping.js';
import { OPEN_STATUSES } from '../invocations/completion.js';
import type { Queries, Tx } from './database.js';
import type { Tables } from './schema.js';
import { TOLD_EXECUTION, tellExecution } from './tell.js';

export type ExecutionRow = Selectable<Tables['executions']>;
export type NewExecution = Insertable<Tables['executions']>;

/** The key of an execution. */
export type ExecutionKey = Readonly<{ executionId: string; node: string }>;

/** SQLite takes 32,766 values in a statement. */
const ROWS_PER_INSERT = 256;
const NODES_PER_STATEMENT = 4_096;

/** Adds executions, many in one statement. Those that wait are not told of: their invocation says how many they are. */
export async function insertExecutions(tx: Tx, rows: readonly NewExecution[]): Promise<void> {
  for (const part of fewSizesOf(rows, ROWS_PER_INSERT)) await tx.insertInto('executions').values(part).execute();
  for (const row of rows) {
    const { reason = null, error_code = null, cancelling = 0 } = row;
    if (row.open === 0) tellExecution(tx, { ...row, reason, error_code, cancelling });
  }
}

/** Fixes the octets of a request; the same octets twice are one row. */
export async function insertRequests(tx: Queries, rows: readonly Insertable<Tables['requests']>[]): Promise<void> {
  for (const part of fewSizesOf(rows, ROWS_PER_INSERT)) {
    await tx
      .insertInto('requests')
      .values(part)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

/**
 * Changes executions that are in one of these states, and tells of them; gives how many did change. One statement per
 * execution id, so that a broadcast costs as much as one node.
 */
export async function moveExecutions(
  tx: Tx,
  keys: Iterable<ExecutionKey>,
  { from, set }: { from: readonly string[]; set: UpdateObject<Tables, 'executions', 'executions'> },
): Promise<number> {
  let moved = 0;
  for (const [executionId, group] of groupBy(keys, (key) => key.executionId)) {
    for (const part of slicesOf(group, NODES_PER_STATEMENT)) {
      const nodes = part.map(({ node }) => node);
      const rows = await tx
        .updateTable('executions')
        .set(set)
        .where('execution_id', '=', executionId)
        .where('node', 'in', padded(nodes))
        .where('status', 'in', from)
        .returning(TOLD_EXECUTION)
        .execute();
      for (const row of rows) tellExecution(tx, row);
      moved += rows.length;
    }
  }
  return moved;
}

/** Those of them that this transaction sees open, in one of these states. */
export async function stillOpen<K extends ExecutionKey>(
  tx: Queries,
  keys: readonly K[],
  states: readonly string[] = OPEN_STATUSES,
): Promise<K[]> {
  const found: K[] = [];
  for (const [executionId, group] of groupBy(keys, (key) => key.executionId)) {
    for (const part of slicesOf(group, NODES_PER_STATEMENT)) {
      const rows = await tx
        .selectFrom('executions')
        .select('node')
        .where('execution_id', '=', executionId)
        .where('node', 'in', padded(part.map(({ node }) => node)))
        .where('open', '=', 1)
        .where('status', 'in', states)
        .execute();
      const nodes = new Set(rows.map(({ node }) => node));
      found.push(...part.filter(({ node }) => nodes.has(node)));
    }
  }
  return found;
}

/** One execution; undefined when it was never asked of this node. */
export function findExecution(
  queries: Queries,
  { executionId, node }: ExecutionKey,
): Promise<ExecutionRow | undefined> {
  return queries
    .selectFrom('executions')
    .selectAll()
    .where('execution_id', '=', executionId)
    .where('node', '=', node)
    .executeTakeFirst();
}

/** The execution of an invocation on this node. @throws {Error} when there is none, which is a bug */
export function findExecutionOn(read: Queries, invocationId: string, node: string): Promise<ExecutionRow> {
  return read
    .selectFrom('executions')
    .selectAll()
    .where('invocation_id', '=', invocationId)
    .where('node', '=', node)
    .executeTakeFirstOrThrow();
}

/** Every execution that may still move, oldest first. */
export function listOpenExecutions(read: Queries): Promise<ExecutionRow[]> {
  return read
    .selectFrom('executions')
    .selectAll()
    .where('open', '=', 1)
    .orderBy('execution_id')
    .orderBy('node')
    .execute();
}

/** The octets of a request. @throws {Error} when they are gone, which is a bug */
export async function findRequestPayload(read: Queries, executionId: string, sha256: string): Promise<string> {
  const row = await read
    .selectFrom('requests')
    .select('payload')
    .where('execution_id', '=', executionId)
    .where('sha256', '=', sha256)
    .executeTakeFirstOrThrow();
  return row.payload;
}
