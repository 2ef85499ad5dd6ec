import type { Clock } from '../../runtime/clock.js';
import type { InvocationEvents } from '../events/invocation-events.js';
import { slicesOf } from '../grouping.js';
import { OPEN_STATUSES, WAITING_STATUSES } from '../invocations/completion.js';
import type { ControllerMetrics } from '../metrics.js';
import { appendAudit } from '../store/audit.js';
import { moveExecutions, stillOpen } from '../store/executions.js';
import { settleInvocations } from '../store/invocations.js';
import type { Store } from '../store/store.js';
import type { Marks } from './marks.js';
import type { OpenExecution, OpenExecutions, OpenState } from './open-executions.js';

/** An end that comes without a result. A late signed result still replaces each of them. */
export type Conclusion =
  /** `from`: the states that it ends, where they are not those before an acceptance. */
  | Readonly<{ status: 'rejected'; reason: string; from?: readonly OpenState[] }>
  | Readonly<{ status: 'expired' }>
  /** It never starts: it had not left us, or its node said that it was cancelled before it came. */
  | Readonly<{ status: 'cancelled' }>
  | Readonly<{ status: 'error'; errorCode: 'agent_lost' | 'journal_lost' | 'node_removed' }>;

export type ConcludeDeps = Readonly<{
  store: Store;
  open: OpenExecutions;
  marks: Marks;
  events: InvocationEvents;
  metrics: ControllerMetrics;
  clock: Clock;
  org: string;
}>;

/** So many end in one transaction, so that others get their turn when a day's work expires at once. */
const EXECUTIONS_PER_WRITE = 2_000;

/**
 * Ends executions by the controller's own judgment. What was accepted in the meantime stays open, unless the
 * conclusion is about accepted ones too (`error`, `cancelled`, or what `from` names).
 */
export async function conclude(
  deps: ConcludeDeps,
  executions: readonly OpenExecution[],
  conclusion: Conclusion,
): Promise<void> {
  for (const slice of slicesOf(executions, EXECUTIONS_PER_WRITE)) await concludeSlice(deps, slice, conclusion);
}

async function concludeSlice(
  deps: ConcludeDeps,
  executions: readonly OpenExecution[],
  conclusion: Conclusion,
): Promise<void> {
  const { store, open, marks, events, metrics, clock, org } = deps;
  const { status } = conclusion;
  const nowMs = clock.nowMs();
  const concluded = await store.write(async (tx) => {
    const from = statesBefore(conclusion);
    const due = executions.filter(
      (each) => open.get(each.executionId, each.node) === each && from.includes(each.state),
    );
    // A result in the same batch is not in memory yet, nor is what a node that polls has accepted.
    const ending = await stillOpen(tx, due, from);
    const set = { status, open: 0, ended_at: nowMs, ...columnsOf(conclusion) };
    await moveExecutions(tx, ending, { from, set });
    const ended = await settleInvocations(tx, [...new Set(ending.map(({ invocationId }) => invocationId))], nowMs);
    await appendAudit(
      tx,
      ending.map(({ executionId, node }) => ({
        atMs: nowMs,
        org,
        actor: 'controller',
        event: 'execution_concluded',
        subject: `execution:${executionId}/${node}`,
        details: conclusion.status === 'rejected' ? { status, reason: conclusion.reason } : { ...conclusion },
      })),
    );
    return { ending, ended };
  });
  for (const execution of concluded.ending) {
    open.remove(execution);
    marks.drop(execution);
    metrics.executionEnded(status);
  }
  events.ended(concluded.ended);
}

function statesBefore(conclusion: Conclusion): readonly OpenState[] {
  if (conclusion.status === 'error' || conclusion.status === 'cancelled') return OPEN_STATUSES;
  return (conclusion.status === 'rejected' ? conclusion.from : undefined) ?? WAITING_STATUSES;
}

function columnsOf(conclusion: Conclusion): { reason?: string; error_code?: string; provisional?: number } {
  if (conclusion.status === 'rejected') return { reason: conclusion.reason };
  if (conclusion.status !== 'error') return {};
  return { error_code: conclusion.errorCode, provisional: conclusion.errorCode === 'agent_lost' ? 1 : 0 };
}
