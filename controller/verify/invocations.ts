import { setImmediate } from 'node:timers/promises';
import { groupBy } from '../grouping.js';
import { ExecutionStatus, InvocationStatus } from '../http/schemas.js';
import { ENDED_STATUSES } from '../http/statuses.js';
import { statusOf } from '../invocations/completion.js';
import type { Queries } from '../store/database.js';
import { noExecutions } from '../store/invocations.js';
import type { VerifyDeps } from './run.js';

const ROWS_PER_PAGE = 200;

type Row = Awaited<ReturnType<typeof readPage>>[number];

/** Tells the check of the audit trail which invocations there are, and when each was made. */
export type SeeInvocation = (id: string, createdMs: number) => void;

/** Each invocation is in the state that its executions come to, and has as many of them as it says (promise 5). */
export async function checkInvocations({ read, notes, signal }: VerifyDeps, see: SeeInvocation): Promise<void> {
  let after = '';
  for (;;) {
    const ids = await readIds(read, after);
    const last = ids.at(-1);
    if (last === undefined || signal?.aborted === true) return;
    for (const [id, rows] of groupBy(await readPage(read, ids), (row) => row.id)) {
      notes.count('invocations', 1);
      if (rows[0] !== undefined) see(id, rows[0].created_at);
      for (const fault of faultsOf(rows)) notes.find('invocations', `invocation:${id}`, fault);
    }
    after = last;
    await setImmediate();
  }
}

async function readIds(read: Queries, after: string): Promise<string[]> {
  const rows = await read
    .selectFrom('invocations')
    .select('id')
    .where('id', '>', after)
    .orderBy('id')
    .limit(ROWS_PER_PAGE)
    .execute();
  return rows.map(({ id }) => id);
}

/** Invocations and how many executions in each state, in one statement: others may write meanwhile. */
function readPage(read: Queries, ids: readonly string[]) {
  const columns = ['i.id', 'i.status', 'i.total', 'i.completed_at', 'i.created_at', 'i.ask'] as const;
  const wishes = ['i.cancel_requested_at', 'i.integration', 'i.error_code'] as const;
  return read
    .selectFrom('invocations as i')
    .leftJoin('executions as e', 'e.invocation_id', 'i.id')
    .select([...columns, ...wishes, 'e.status as execution_status'])
    .select(({ fn }) => fn.count<number>('e.node').as('n'))
    .where('i.id', 'in', ids)
    .groupBy([...columns, ...wishes, 'e.status'])
    .execute();
}

function faultsOf(rows: readonly Row[]): string[] {
  const [row] = rows;
  const status = InvocationStatus.safeParse(row?.status);
  if (row === undefined || !status.success) return [`${row?.status} is no state of an invocation`];
  const faults: string[] = [];
  if (ENDED_STATUSES.has(status.data) !== (row.completed_at !== null)) {
    faults.push(`it is ${status.data} and ${row.completed_at === null ? 'has no' : 'has a'} time of its end`);
  }
  if ((status.data === 'pending') !== (row.ask !== null))
    faults.push(`it is ${status.data}, and what was asked ${row.ask === null ? 'is gone' : 'still waits'}`);
  const counts = countsOf(rows);
  if (counts === undefined) return [...faults, 'one of its executions is in a state that there is not'];
  if (row.integration !== null) {
    if ((row.error_code !== null) !== (status.data === 'failed'))
      faults.push(`it is ${status.data}, with ${row.error_code} as its code`);
    return counts.total === 0 ? faults : [...faults, 'it is of an integration, and has executions'];
  }
  if (counts.total === 0) {
    const mayBeEmpty = ['pending', 'denied', 'expired', 'cancelled'].includes(status.data);
    return mayBeEmpty ? faults : [...faults, `it is ${status.data} without executions`];
  }
  if (counts.total !== row.total) faults.push(`it has ${counts.total} executions and says ${row.total}`);
  const due = statusOf(counts, { isToEnd: row.cancel_requested_at !== null }).status;
  const isOpen = (each: InvocationStatus): boolean => each === 'approved' || each === 'executing';
  if (due !== status.data && !(isOpen(due) && isOpen(status.data))) {
    faults.push(`it is ${status.data}, and its executions come to ${due}`);
  }
  return faults;
}

/** Undefined when an execution is in a state that does not exist. */
function countsOf(rows: readonly Row[]) {
  const counts = noExecutions();
  for (const { execution_status, n } of rows) {
    if (execution_status === null) continue;
    const status = ExecutionStatus.safeParse(execution_status);
    if (!status.success) return undefined;
    counts[status.data] = Number(n);
    counts.total += Number(n);
  }
  return counts;
}
