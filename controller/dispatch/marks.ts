import { sql } from 'kysely';
import type { RejectionReason } from '../../protocol/messages/ack.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import { groupBy } from '../grouping.js';
import type { Tx } from '../store/database.js';
import { moveExecutions } from '../store/executions.js';
import { beginInvocations } from '../store/invocations.js';
import type { Store } from '../store/store.js';
import type { OpenExecution } from './open-executions.js';

/**
 * Steps on the way that people like to see but nothing depends on: they are written 50 ms later, those of many at once
 * 500 ms later, and most are overtaken by a result before. After a crash the node is asked again and says the same.
 */
export type Marks = Readonly<{
  sent: (execution: OpenExecution) => void;
  accepted: (execution: OpenExecution) => void;
  /** Offered and not taken for a passing reason. */
  requeued: (execution: OpenExecution, reason: RejectionReason) => void;
  unreachable: (execution: OpenExecution) => void;
  /** Its node has come back: whether it answers is to be seen. */
  reachable: (execution: OpenExecution) => void;
  /** Its end was written: a mark that waits is void. */
  drop: (execution: OpenExecution) => void;
  /** Writes what waits. */
  stop: () => void;
}>;

type Mark = Readonly<{
  kind: 'sent' | 'accepted' | 'requeued' | 'unreachable' | 'reachable';
  reason: string | null;
  atMs: number;
}>;

const COLLECT_MS = 50;
/** So many steps are a broadcast's, and their results are on the way. */
const MANY = 100;
const COLLECT_MANY_MS = 500;

export function createMarks({ store, clock, log }: { store: Store; clock: Clock; log: Logger }): Marks {
  let waiting = new Map<OpenExecution, Mark>();
  let timer: NodeJS.Timeout | undefined;
  let sinceMs = 0;

  function put(execution: OpenExecution, kind: Mark['kind'], reason: string | null = null): void {
    waiting.set(execution, { kind, reason, atMs: clock.nowMs() });
    if (timer !== undefined) return;
    sinceMs = clock.monotonicMs();
    timer = setTimeout(flushUnlessMany, COLLECT_MS);
  }

  function flushUnlessMany(): void {
    if (waiting.size >= MANY && clock.monotonicMs() - sinceMs < COLLECT_MANY_MS) {
      timer = setTimeout(flushUnlessMany, COLLECT_MS);
    } else flush();
  }

  function flush(): void {
    timer = undefined;
    const marks = waiting;
    waiting = new Map();
    if (marks.size === 0) return;
    store.write((tx) => writeMarks(tx, marks)).catch((err: unknown) => log.warn({ err }, 'steps not recorded'));
  }

  return {
    sent(execution) {
      // What was unreachable was sent before: this says nothing new, and would take the place of what does.
      if (waiting.get(execution)?.kind !== 'reachable') put(execution, 'sent');
    },
    accepted: (execution) => put(execution, 'accepted'),
    requeued: (execution, reason) => put(execution, 'requeued', reason),
    unreachable: (execution) => put(execution, 'unreachable'),
    reachable: (execution) => put(execution, 'reachable'),
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
    const ids = [...new Set(executions.map(({ invocationId }) => invocationId))];
    if (mark.kind === 'accepted') await beginInvocations(tx, ids, mark.atMs);
  }
}

async function writeGroup(tx: Tx, executions: readonly OpenExecution[], { kind, reason, atMs }: Mark): Promise<void> {
  const sent_at = sql<number>`coalesce(sent_at, ${atMs})`;
  const waits = ['queued', 'sent'];
  if (kind === 'sent') await moveExecutions(tx, executions, { from: ['queued'], set: { status: 'sent', sent_at } });
  if (kind === 'requeued') {
    await moveExecutions(tx, executions, { from: waits, set: { status: 'queued', reason, unreachable: 0, sent_at } });
  }
  if (kind === 'unreachable') await moveExecutions(tx, executions, { from: waits, set: { unreachable: 1, sent_at } });
  if (kind === 'reachable') await moveExecutions(tx, executions, { from: waits, set: { unreachable: 0 } });
  if (kind === 'accepted') {
    const set = { status: 'accepted', accepted_at: atMs, sent_at, reason: null, unreachable: 0 };
    await moveExecutions(tx, executions, { from: waits, set });
  }
}
