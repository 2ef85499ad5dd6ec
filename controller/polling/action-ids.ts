import { ExecutionId } from '../../protocol/ids.js';
import type { Queries } from '../store/database.js';
import { type ExecutionRow, findExecution } from '../store/executions.js';

/**
 * Names what was queued for one node `org:node:milliseconds` (F-26). Of two in one millisecond the second is named as
 * if it had come a millisecond later, so that no name means two things.
 */
export async function nameAction(
  tx: Queries,
  { org, node, invocationId, nowMs }: { org: string; node: string; invocationId: string; nowMs: number },
): Promise<void> {
  for (let ms = nowMs; ; ms += 1) {
    const row = { action_id: `${org}:${node}:${ms}`, org, node, invocation_id: invocationId };
    const inserted = await tx
      .insertInto('action_ids')
      .values(row)
      .onConflict((conflict) => conflict.column('action_id').doNothing())
      .returning('action_id')
      .executeTakeFirst();
    if (inserted !== undefined) return;
  }
}

/** The names of these invocations, by invocation id; one that was not queued by name is absent. */
export async function findActionIds(queries: Queries, invocationIds: readonly string[]): Promise<Map<string, string>> {
  if (invocationIds.length === 0) return new Map();
  const rows = await queries
    .selectFrom('action_ids')
    .select(['invocation_id', 'action_id'])
    .where('invocation_id', 'in', invocationIds)
    .execute();
  return new Map(rows.map((row) => [row.invocation_id, row.action_id]));
}

/** The execution of this node that a name or an execution id means; undefined when there is none. */
export function findNamedExecution(queries: Queries, node: string, name: string): Promise<ExecutionRow | undefined> {
  if (ExecutionId.safeParse(name).success) return findExecution(queries, { executionId: name, node });
  return queries
    .selectFrom('executions')
    .innerJoin('action_ids', 'action_ids.invocation_id', 'executions.invocation_id')
    .selectAll('executions')
    .where('action_ids.action_id', '=', name)
    .where('executions.node', '=', node)
    .executeTakeFirst();
}

/** Forgets names whose invocations are gone. */
export async function deleteOrphanedActionIds(tx: Queries): Promise<void> {
  await tx
    .deleteFrom('action_ids')
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('invocations').select('id').whereRef('invocations.id', '=', 'action_ids.invocation_id'))),
    )
    .execute();
}
