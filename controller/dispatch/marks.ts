import { sql } from 'kysely';
import type { RejectionReason } from '../../protocol/messages/ack.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import { groupBy, slicesOf } from '../grouping.js';
import type { Tx } from '../store/database.js';
import { moveExecutions } from '../store/executions.js';
import type { Store } from '../store/store.js';
import { TOLD_INVOCATION, tellInvocation } from '../store/tell.js';
import type { OpenExecution } from './open-executions.js';

/**
 * Steps on the way that people like to see but nothing depends on: they are written 50 ms later, and most are overtaken
 * by a result before. After a crash the node is asked again and says the same.
 */
export type Marks = Readonly<{
  sent: (execution: OpenExecution) => void;
  accepted: (execution: OpenExecution) => void;
  /** Offered and not taken for a passing reason. */
  requeued: (execution: OpenExecution, reason: RejectionReason) => void;
  unreachable: (execution: OpenExecution) => void;
  /** Its end was written: a mark that waits is void. */
  drop: (execution: OpenExecution) => void;
  /** Writes what waits. */
  stop: () => void;
}>;

type Mark = Readonly<{ kind: 'sent' | 'accepted' | 'requeued' | 'unreachable'; reason: string | null; atMs: number }>;

const COLLECT_MS = 50;
const IDS_PER_STATEMENT = 5_000;

export function createMarks({ store, clock, log }: { store: Store; clock: Clock; log: Logger }): Marks {
  let waiting = new Map<OpenExecution, Mark>();
  let timer: NodeJS.Timeout | undefined;

  function put(execution: OpenExecution, kind: Mark['kind'], reason: string | null = null): void {
    waiting.set(execution, { kind, reason, atMs: clock.nowMs() });
    timer ??= setTimeout(flush, COLLECT_MS);
  }

  function flush(): void {
    timer = undefined;
    const marks = waiting;
    waiting = new Map();
    if (marks.size === 0) return;
    store.write((tx) => writeMarks(tx, marks)).catch((err: unknown) => log.warn({ err }, 'steps not recorded'));
  }

  return {
    sent: (execution) => put(execution, 'sent'),
    accepted: (execution) => put(execution, 'accepted'),
    requeued: (execution, reason) => put(execution, 'requeued', reason),
    unreachable: (execution) => put(execution, 'unreachable'),
    drop: (execution) => {
      waiting.delete(execution);
    },
    stop() {
      clearTimeout(timer);
      flush();
    },
  };
}

async function writeMarks(tx: Tx, marks: ReadonlyMap<OpenExecution, Mark>): Promise<void> {
  for (const group of groupBy(marks, ([, { kind, reason }]) => `${kind} ${reason ?? ''}`).values()) {
    const mark = group[0]?.[1];
    if (mark === undefined) continue;
    const executions = group.map(([execution]) => execution);
    await writeGroup(tx, executions, mark);
    if (mark.kind === 'accepted') await startInvocations(tx, executions);
  }
}

async function writeGroup(tx: Tx, executions: readonly OpenExecution[], { kind, reason, atMs }: Mark): Promise<void> {
  const sent_at = sql<number>`coalesce(sent_at, ${atMs})`;
  const waits = ['queued', 'sent'];
  if (kind === 'sent') await moveExecutions(tx, executions, { from: ['queued'], set: { status: 'sent', sent_at } });
  if (kind === 'requeued') {
    await moveExecutions(tx, executions, { from: waits, set: { status: 'queued', reason, sent_at } });
  }
  if (kind === 'unreachable') await moveExecutions(tx, executions, { from: waits, set: { unreachable: 1, sent_at } });
  if (kind === 'accepted') {
    const set = { status: 'accepted', accepted_at: atMs, sent_at, reason: null, unreachable: 0 };
    await moveExecutions(tx, executions, { from: waits, set });
  }
}

async function startInvocations(tx: Tx, executions: readonly OpenExecution[]): Promise<void> {
  const ids = [...new Set(executions.map(({ invocationId }) => invocationId))];
  for (const slice of slicesOf(ids, IDS_PER_STATEMENT)) {
    const started = await tx
      .updateTable('invocations')
      .set({ status: 'executing' })
      .where('id', 'in', slice)
      .where('status', '=', 'approved')
      .returning(TOLD_INVOCATION)
      .execute();
    for (const row of started) tellInvocation(tx, row);
  }
}
