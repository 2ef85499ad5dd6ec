import { MusterError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Cancellations } from '../dispatch/cancellations.js';
import type { Dispatcher } from '../dispatch/dispatcher.js';
import type { Marks } from '../dispatch/marks.js';
import type { OpenExecution, OpenExecutions } from '../dispatch/open-executions.js';
import type { InvocationEvents } from '../events/invocation-events.js';
import type { InvocationView } from '../http/schemas.js';
import { ENDED_STATUSES } from '../http/statuses.js';
import type { ControllerMetrics } from '../metrics.js';
import type { InvocationService, Principal } from '../services.js';
import { appendAudit } from '../store/audit.js';
import type { Tx } from '../store/database.js';
import { moveExecutions, stillOpen } from '../store/executions.js';
import { settleInvocations } from '../store/invocations.js';
import type { Store } from '../store/store.js';
import { tellInvocations } from '../store/tell.js';
import { OPEN_STATUSES } from './completion.js';

export type CancelDeps = Readonly<{
  store: Store;
  open: OpenExecutions;
  dispatcher: Pick<Dispatcher, 'ended'>;
  cancellations: Pick<Cancellations, 'add'>;
  marks: Pick<Marks, 'drop'>;
  events: InvocationEvents;
  metrics: Pick<ControllerMetrics, 'executionEnded'>;
  clock: Clock;
}>;

type Find = (org: string, id: string) => Promise<InvocationView | undefined>;

/**
 * Ends invocations on somebody's word. What has not left the controller ends at once; what may have reached its node
 * is offered no more, and its node is told until it answers: only it knows whether the action has begun.
 */
export function createCancel(deps: CancelDeps, find: Find): InvocationService['cancel'] {
  return async (principal, id, { reason }) => {
    const invocation = await find(principal.org, id);
    if (invocation === undefined) return undefined;
    refuseOthers(principal, invocation);
    if (ENDED_STATUSES.has(invocation.status)) {
      throw new MusterError('conflict', `The invocation has ended already: it is ${invocation.status}`);
    }
    const before = invocation.status === 'pending' && (await cancelPending(deps, { principal, id, reason }));
    if (!before && 'integration' in invocation.target) {
      throw new MusterError('conflict', 'The integration has been asked already, and nobody can take that back');
    }
    if (!before) await cancelOpen(deps, { principal, id, reason });
    return find(principal.org, id);
  };
}

/** @throws {MusterError} forbidden */
function refuseOthers({ id, role }: Principal, { created_by }: InvocationView): void {
  if (role === 'admin' || role === 'owner' || created_by === id) return;
  throw new MusterError('forbidden', 'An operator may cancel what they asked for themselves');
}

async function cancelOpen(
  deps: CancelDeps,
  { principal, id, reason }: { principal: Principal; id: string; reason: string | undefined },
): Promise<void> {
  const { store, open, dispatcher, cancellations, marks, events, metrics, clock } = deps;
  const stopped = new Set<OpenExecution>();
  const stopOffers = (): OpenExecution[] => {
    const executions = [...open.ofInvocation(id)];
    for (const execution of executions) {
      if (!execution.cancelling) stopped.add(execution);
      execution.cancelling = true;
    }
    return executions;
  };
  stopOffers(); // before the first await: from here on none of them is offered, so what has not left us never will
  const nowMs = clock.nowMs();
  try {
    const done = await store.write(async (tx) => {
      const wish = await noteWish(tx, { principal, id, nowMs });
      if (wish === 'too_late') return wish;
      const still = stopOffers(); // what was committed a moment ago has come to memory since
      const unsent = still.filter(({ offered }) => !offered);
      await endUnsent(tx, unsent, nowMs);
      await moveExecutions(tx, still, { from: OPEN_STATUSES, set: { cancelling: 1 } });
      if (wish === 'noted') await auditCancel(tx, { principal, id, reason, nowMs, open: still.length });
      // One that a node fetched in the same commit has left, and is told of like any other.
      const left = new Set(await stillOpen(tx, unsent));
      return {
        atOnce: unsent.filter((each) => !left.has(each)),
        still,
        ended: await settleInvocations(tx, [id], nowMs),
      };
    });
    if (done === 'too_late') throw new MusterError('conflict', 'The invocation has ended meanwhile');
    const { atOnce, still, ended } = done;
    for (const execution of atOnce) {
      open.remove(execution);
      marks.drop(execution);
      metrics.executionEnded('cancelled');
      dispatcher.ended(execution.node);
    }
    cancellations.add(still);
    events.ended(ended);
  } catch (error) {
    for (const execution of stopped) execution.cancelling = false;
    throw error;
  }
}

/** Takes back what waits for a person; false when it has been decided meanwhile. */
async function cancelPending(
  { store, events, clock }: CancelDeps,
  { principal, id, reason }: { principal: Principal; id: string; reason: string | undefined },
): Promise<boolean> {
  const nowMs = clock.nowMs();
  const isDone = await store.write(async (tx) => {
    const wish = { cancel_requested_at: nowMs, cancel_requested_by: principal.id };
    const { numUpdatedRows } = await tx
      .updateTable('invocations')
      .set({ status: 'cancelled', completed_at: nowMs, ask: null, ...wish })
      .where('id', '=', id)
      .where('status', '=', 'pending')
      .executeTakeFirst();
    if (Number(numUpdatedRows) === 0) return false;
    await auditCancel(tx, { principal, id, reason, nowMs, open: 0 });
    await tellInvocations(tx, [id]);
    return true;
  });
  if (isDone) events.ended([id]);
  return isDone;
}

/** `known` when somebody wanted it before, `too_late` when it has ended: what has ended stays as it ended. */
async function noteWish(
  tx: Tx,
  { principal, id, nowMs }: { principal: Principal; id: string; nowMs: number },
): Promise<'noted' | 'known' | 'too_late'> {
  const now = await tx
    .selectFrom('invocations')
    .select(['status', 'cancel_requested_at'])
    .where('id', '=', id)
    .executeTakeFirst();
  if (now?.status !== 'approved' && now?.status !== 'executing') return 'too_late';
  if (now.cancel_requested_at !== null) return 'known';
  await tx
    .updateTable('invocations')
    .set({ cancel_requested_at: nowMs, cancel_requested_by: principal.id })
    .where('id', '=', id)
    .where('cancel_requested_at', 'is', null)
    .execute();
  return 'noted';
}

function endUnsent(tx: Tx, unsent: readonly OpenExecution[], nowMs: number): Promise<number> {
  return moveExecutions(tx, unsent, {
    from: ['held', 'queued'],
    set: { status: 'cancelled', open: 0, ended_at: nowMs },
  });
}

function auditCancel(
  tx: Tx,
  {
    principal: { org, id: actor },
    id,
    reason,
    nowMs,
    open,
  }: { principal: Principal; id: string; reason: string | undefined; nowMs: number; open: number },
): Promise<void> {
  const details = { open, ...(reason === undefined ? {} : { reason }) };
  const subject = `invocation:${id}`;
  return appendAudit(tx, [{ atMs: nowMs, org, actor, event: 'invocation_cancel_requested', subject, details }]);
}
