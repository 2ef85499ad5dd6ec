import { MusterError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Dispatcher } from '../dispatch/dispatcher.js';
import type { OpenExecutions } from '../dispatch/open-executions.js';
import type { CreateInvocation } from '../http/schemas.js';
import type { ControllerMetrics } from '../metrics.js';
import type { Presence } from '../nodes/presence.js';
import type { Registry } from '../nodes/registry.js';
import { decide } from '../policy/decide.js';
import type { InvocationService, Principal } from '../services.js';
import { noExecutions } from '../store/invocations.js';
import type { Store } from '../store/store.js';
import { type Draft, draftInvocation } from './draft.js';
import { type Plan, planInvocation } from './plan.js';
import { type Earlier, findEarlier, storeDraft } from './store-draft.js';
import { toInvocationView } from './views.js';

export type CreateDeps = Readonly<{
  store: Store;
  registry: Registry;
  presence: Presence;
  open: OpenExecutions;
  dispatcher: Dispatcher;
  metrics: ControllerMetrics;
  clock: Clock;
  defaultExpiresInMs: number;
  maxOpenPerNode: number;
}>;

/** One principal may have this many asks that wait for a person. */
const MAX_PENDING = 10;

type Answer = Awaited<ReturnType<InvocationService['create']>>;

/** Makes invocations: plan, decide, store in one transaction, offer. */
export function createCreate(deps: CreateDeps): InvocationService['create'] {
  const { store, registry, presence, clock, metrics } = deps;
  return async (principal, ask, { idempotencyKey, bodySha256, also }) => {
    const nowMs = clock.nowMs();
    const owner = `${principal.org}/${principal.id}`;
    const use = idempotencyKey === undefined ? undefined : { principal: owner, key: idempotencyKey, bodySha256, nowMs };
    const before = use === undefined ? undefined : await findEarlier(store.read, use);
    if (before !== undefined) return repeat(before);

    const plan = planInvocation(registry, {
      org: principal.org,
      ask,
      defaultExpiresInMs: deps.defaultExpiresInMs,
    });
    refuseUnlessAsSeen(ask, plan);
    const verdict = decide(principal, plan.risk, ask.confirm);
    if (verdict.kind === 'refused') throw new MusterError(verdict.code, verdict.detail);
    refuseTooMany(deps, plan);
    if (verdict.kind === 'pending') await refuseTooManyPending(deps, principal);

    const draft = draftInvocation({ principal, ask, plan, verdict, isConnected: presence.isConnected, nowMs });
    const raced = await store.write(async (tx) => {
      const earlier = await storeDraft(tx, draft, use);
      if (earlier === undefined) await also?.(tx, { id: draft.row.id, createdAtMs: nowMs });
      return earlier;
    });
    if (raced !== undefined) return repeat(raced);
    metrics.invocationMade({ action: ask.action, risk: plan.risk, status: verdict.kind });
    if (verdict.kind === 'denied') {
      throw new MusterError('denied_by_policy', `${verdict.error} (invocation ${draft.row.id})`);
    }
    dispatchDraft(deps, draft, plan);
    const held = draft.executions.filter(({ state }) => state === 'held').length;
    const total = draft.executions.length;
    const counts = { ...noExecutions(), total, held, queued: total - held };
    return { invocation: toInvocationView(draft.row, counts), replayed: false };
  };
}

/** Who looked first asks for what they saw and nothing else. @throws {MusterError} plan_changed */
function refuseUnlessAsSeen({ digest }: CreateInvocation, plan: Plan): void {
  if (digest === undefined || digest === plan.digest) return;
  throw new MusterError(
    'plan_changed',
    `It would run on other nodes or something else there now (${plan.targets.length} nodes)`,
  );
}

/** @throws {MusterError} idempotency_conflict, denied_by_policy */
function repeat(earlier: Earlier): Answer {
  if (earlier.kind === 'refused') throw new MusterError(earlier.code, earlier.detail);
  return { invocation: earlier.invocation, replayed: true };
}

/** Holds the targets against the cap on open executions of a node. @throws {MusterError} too_many_open */
export function refuseTooMany({ open, maxOpenPerNode }: CreateDeps, { targets }: Plan): void {
  const full = targets.find(({ record }) => open.countOf(record.node) >= maxOpenPerNode);
  if (full === undefined) return;
  throw new MusterError('too_many_open', `${full.record.node} has ${maxOpenPerNode} open executions already`);
}

/** @throws {MusterError} too_many_pending */
async function refuseTooManyPending({ store, clock }: CreateDeps, { org, id }: Principal): Promise<void> {
  const { count } = await store.read
    .selectFrom('invocations')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('org', '=', org)
    .where('created_by', '=', id)
    .where('status', '=', 'pending')
    .where('expires_at', '>', clock.nowMs())
    .executeTakeFirstOrThrow();
  if (Number(count) < MAX_PENDING) return;
  throw new MusterError('too_many_pending', `${MAX_PENDING} of your asks wait for a person already`);
}

/** Hands what was just committed to the dispatcher. */
export function dispatchDraft({ open, dispatcher }: CreateDeps, draft: Draft, plan: Plan): void {
  const { row, executionId, executions, broadcast, timeoutMs } = draft;
  const added = executions.map(({ target, request, state, expiresAtMs }) => ({
    request,
    execution: open.add({
      executionId,
      node: target.record.node,
      invocationId: row.id,
      expiresAtMs,
      timeoutMs,
      checksum: target.checksum,
      state,
      requestSha256: request?.sha256 ?? null,
      offered: false,
    }),
  }));
  const together = added.filter(({ request }) => broadcast !== undefined && request === broadcast);
  if (broadcast !== undefined && plan.broadcast !== undefined) {
    dispatcher.broadcast(
      together.map(({ execution }) => execution),
      plan.broadcast,
      broadcast.payload,
    );
  }
  for (const { execution, request } of added) {
    if (execution.state === 'held') continue;
    if (broadcast === undefined || request !== broadcast) dispatcher.submit(execution, request?.payload);
  }
}
