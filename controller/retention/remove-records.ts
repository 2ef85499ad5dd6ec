import { type AuditEntry, appendAudit } from '../store/audit.js';
import type { Queries } from '../store/database.js';
import type { Store } from '../store/store.js';
import type { Removable } from './removable.js';

/** So many executions go in one transaction, or those of one invocation, which are never there in part. */
const EXECUTIONS_PER_WRITE = 1_000;
/** Output is large: that of so many nodes goes in one transaction, before the rest. */
const OUTPUTS_PER_WRITE = 50;

/**
 * Lets go of these invocations with all that hangs on them, and says so in the audit trail; other writes come between.
 * One that has been opened again since it was looked at stays. Gives how many went.
 */
export async function removeRecords(
  store: Store,
  removable: readonly Removable[],
  { org, nowMs }: { org: string; nowMs: number },
): Promise<number> {
  let batch: Removable[] = [];
  let executions = 0;
  let removed = 0;
  const flush = async (): Promise<void> => {
    const going = batch;
    batch = [];
    executions = 0;
    if (going.length > 0) removed += await store.write((tx) => removeBatch(tx, going, { org, nowMs }));
  };
  for (const each of removable) {
    for (const executionId of each.executionIds) await removeOutputs(store, executionId);
    if (executions + each.total > EXECUTIONS_PER_WRITE) await flush();
    batch.push(each);
    executions += each.total;
  }
  await flush();
  return removed;
}

async function removeOutputs(store: Store, executionId: string): Promise<void> {
  for (;;) {
    const rows = await store.read
      .selectFrom('outputs')
      .select('node')
      .distinct()
      .where('execution_id', '=', executionId)
      .orderBy('node')
      .limit(OUTPUTS_PER_WRITE)
      .execute();
    if (rows.length === 0) return;
    const nodes = rows.map(({ node }) => node);
    await store.write((tx) =>
      tx.deleteFrom('outputs').where('execution_id', '=', executionId).where('node', 'in', nodes).execute(),
    );
  }
}

async function removeBatch(
  tx: Queries,
  candidates: readonly Removable[],
  { org, nowMs }: { org: string; nowMs: number },
): Promise<number> {
  const reopened = await findOpen(tx, candidates);
  const batch = candidates.filter(({ id }) => !reopened.has(id));
  if (batch.length === 0) return 0;
  const ids = batch.map(({ id }) => id);
  const executionIds = batch.flatMap((each) => each.executionIds);
  if (executionIds.length > 0) {
    for (const table of ['outputs', 'results', 'requests'] as const) {
      await tx.deleteFrom(table).where('execution_id', 'in', executionIds).execute();
    }
    await tx.deleteFrom('executions').where('invocation_id', 'in', ids).execute();
  }
  await tx.deleteFrom('integration_results').where('invocation_id', 'in', ids).execute();
  await tx.deleteFrom('action_ids').where('invocation_id', 'in', ids).execute();
  await tx.deleteFrom('idempotency_keys').where('made_id', 'in', ids).execute();
  await tx.deleteFrom('invocations').where('id', 'in', ids).execute();
  await appendAudit(
    tx,
    batch.flatMap((each) => entriesOf(each, { org, nowMs })),
  );
  return batch.length;
}

/** A node that was thought lost may have said meanwhile that it has begun. */
async function findOpen(tx: Queries, candidates: readonly Removable[]): Promise<ReadonlySet<string>> {
  const ids = candidates.map(({ id }) => id);
  const rows = await tx
    .selectFrom('executions')
    .select('invocation_id')
    .distinct()
    .where('invocation_id', 'in', ids)
    .where('open', '=', 1)
    .execute();
  return new Set(rows.map(({ invocation_id }) => invocation_id));
}

/** One row for each execution id, by which the trail explains that its results are gone. */
function entriesOf(
  { id, total, digest, executionIds }: Removable,
  { org, nowMs }: { org: string; nowMs: number },
): AuditEntry[] {
  const head = { atMs: nowMs, org, actor: 'controller', event: 'invocation_removed', subject: `invocation:${id}` };
  const details = { executions: total, digest };
  if (executionIds.length === 0) return [{ ...head, details: { ...details, execution_id: null } }];
  return executionIds.map((execution_id) => ({ ...head, details: { ...details, execution_id } }));
}
