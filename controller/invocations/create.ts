import { MusterError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Dispatcher } from '../dispatch/dispatcher.js';
import type { OpenExecutions } from '../dispatch/open-executions.js';
import { applyGrant, spendGrant } from '../grants/match.js';
import type { CreateInvocation } from '../http/schemas.js';
import type { ControllerMetrics } from '../metrics.js';
import type { Presence } from '../nodes/presence.js';
import { compareText, type Registry } from '../nodes/registry.js';
import { decide, type Question } from '../policy/decide.js';
import { excessOf, LimitReached } from '../policy/limits.js';
import type { Policies, PolicyInForce } from '../policy/policies.js';
import type { InvocationService, Principal } from '../services.js';
import type { Queries } from '../store/database.js';
import type { IdempotencyUse } from '../store/idempotency.js';
import { noExecutions } from '../store/invocations.js';
import type { Store } from '../store/store.js';
import type { Suspension } from '../suspension.js';
import { createTurns } from '../turns.js';
import { mayStillAsk } from './asker.js';
import type { Capacity } from './capacity.js';
import { DeniedByPolicy } from './denied.js';
import { type Draft, draftInvocation, type Verdict } from './draft.js';
import { nodesOf, type Plan, questionOf } from './plan.js';
import { planFor } from './plan-for.js';
import {
  type Earlier,
  executionRows,
  findEarlier,
  type NotAdmitted,
  type PastLimit,
  storeDraft,
} from './store-draft.js';
import { toExecutionView, toInvocationView } from './views.js';

export type CreateDeps = Readonly<{
  store: Store;
  registry: Registry;
  presence: Presence;
  open: OpenExecutions;
  capacity: Capacity;
  policies: Policies;
  dispatcher: Dispatcher;
  metrics: ControllerMetrics;
  suspension: Pick<Suspension, 'refuse'>;
  clock: Clock;
  defaultExpiresInMs: number;
}>;

/** What an ask comes to, and by which policy. */
type Judged = Readonly<{ policy: PolicyInForce; plan: Plan; question: Question; verdict: Verdict }>;

type Asked = Readonly<{
  principal: Principal;
  ask: CreateInvocation;
  use: IdempotencyUse | undefined;
  also: Parameters<InvocationService['create']>[2]['also'];
  nowMs: number;
}>;

type Answer = Awaited<ReturnType<InvocationService['create']>>;
type KeyedRequest = Pick<Parameters<InvocationService['create']>[2], 'idempotencyKey' | 'bodySha256'>;

/** Makes invocations: plan, decide, store in one transaction, offer. */
export function createCreate(deps: CreateDeps): InvocationService['create'] {
  const { clock } = deps;
  const inTurn = createTurns();
  return (principal, ask, request) => {
    const nowMs = clock.nowMs();
    const use = useOf(principal, request, nowMs);
    const asked = { principal, ask, use, also: request.also, nowMs };
    // The second of two asks under one key is answered, not held against the limit that the first one has reached.
    return use === undefined ? answer(deps, asked) : inTurn(`${use.principal} ${use.key}`, () => answer(deps, asked));
  };
}

async function answer(deps: CreateDeps, asked: Asked): Promise<Answer> {
  const { policies, store, suspension } = deps;
  const { principal, use } = asked;
  const before = use === undefined ? undefined : await findEarlier(store.read, use);
  if (before !== undefined) return repeat(before);
  suspension.refuse();
  for (;;) {
    const admitted = await policies.judge(principal.org, (policy) => admit(deps, asked, policy));
    const made = await make(deps, asked, admitted).finally(admitted.release);
    if (made !== 'judge_again') return made;
    await policies.current(principal.org);
  }
}

/** What the same ask was answered before; undefined when it is new. */
export type Replay = (principal: Principal, request: KeyedRequest) => Promise<Answer | undefined>;

/** For whoever has to look around before they can ask: the answer to the same ask stays, whatever is there by now. */
export function createReplay({ store, clock }: Pick<CreateDeps, 'store' | 'clock'>): Replay {
  return async (principal, request) => {
    const use = useOf(principal, request, clock.nowMs());
    const before = use === undefined ? undefined : await findEarlier(store.read, use);
    return before === undefined ? undefined : repeat(before);
  };
}

/** The use that a request makes of its key; undefined without one. */
export function useOf(
  { org, id }: Principal,
  { idempotencyKey, bodySha256 }: KeyedRequest,
  nowMs: number,
): IdempotencyUse | undefined {
  return idempotencyKey === undefined
    ? undefined
    : { principal: `${org}/${id}`, key: idempotencyKey, bodySha256, nowMs };
}

/**
 * What an ask comes to under this policy. A place is taken on each target, until `release`.
 * @throws {MusterError} what `create` throws before it stores
 */
async function admit(deps: CreateDeps, asked: Asked, policy: PolicyInForce): Promise<Judged & { release: () => void }> {
  const { store, registry, defaultExpiresInMs } = deps;
  const { principal, ask } = asked;
  await refuseEarly(deps, asked, policy);
  const plan = planFor(registry, { principal, ask, policy: policy.document, defaultExpiresInMs });
  refuseUnlessAsSeen(ask, plan);
  const question = questionOf(plan, ask);
  const verdict = await judgeAsk(store.read, asked, { policy, question });
  const judged = { policy, plan, question, verdict };
  const early = await pastLimit(store.read, asked, judged); // whoever is past a limit does not keep the writer busy
  if (early !== undefined) throw new LimitReached(early.excess);
  return { ...judged, release: takePlaces(deps, judged) };
}

/**
 * What the policy says of an ask, and a grant where it would wait for a person.
 * @throws {MusterError} forbidden, outside_sandbox, confirmation_required, reason_required
 */
export async function judgeAsk(
  queries: Queries,
  { principal, nowMs }: Pick<Asked, 'principal' | 'nowMs'>,
  { policy: { document: policy }, question }: Pick<Judged, 'policy' | 'question'>,
): Promise<Verdict> {
  const decision = decide(policy, principal, question);
  if (decision.kind === 'refused') throw new MusterError(decision.code, decision.detail);
  return applyGrant(queries, { principal, policy, question, nowMs }, decision);
}

/** Of a sandbox the limit comes before anything is looked up. @throws {MusterError} rate_limited */
export async function refuseEarly(
  { store }: Pick<CreateDeps, 'store'>,
  { principal, nowMs }: Pick<Asked, 'principal' | 'nowMs'>,
  { document }: PolicyInForce,
): Promise<void> {
  if (principal.role !== 'sandbox') return;
  const excess = await excessOf(store.read, document, { principal, waits: false, nowMs });
  if (excess !== undefined) throw new LimitReached(excess);
}

/** Why one more ask is past a limit of the policy; undefined when it is within. */
export async function pastLimit(
  queries: Queries,
  { principal, nowMs }: Pick<Asked, 'principal' | 'nowMs'>,
  { policy, verdict }: Pick<Judged, 'policy' | 'verdict'>,
): Promise<PastLimit | undefined> {
  const excess = await excessOf(queries, policy.document, { principal, waits: verdict.kind === 'pending', nowMs });
  return excess === undefined ? undefined : { kind: 'past_limit', excess };
}

/** Why what was decided a moment ago is not stored any more; undefined when it is. */
export async function stillAdmitted(
  tx: Queries,
  {
    policies,
    asked,
    judged,
  }: {
    policies: Policies;
    asked: Pick<Asked, 'principal' | 'nowMs'>;
    judged: Pick<Judged, 'policy' | 'question' | 'verdict'>;
  },
): Promise<NotAdmitted | undefined> {
  const { principal, nowMs } = asked;
  const { policy, question, verdict } = judged;
  if (!(await policies.isCurrent(tx, principal.org, policy))) return { kind: 'judge_again' };
  if (!(await mayStillAsk(tx, principal))) return { kind: 'asker_gone' };
  const excess = await pastLimit(tx, asked, judged);
  if (excess !== undefined || verdict.kind !== 'approved' || verdict.grant === undefined) return excess;
  // Last, since nothing gives back what was taken from the budget but an end of the transaction.
  const isSpent = await spendGrant(tx, verdict.grant, { principal, policy: policy.document, question, nowMs });
  return isSpent ? undefined : { kind: 'judge_again' };
}

/** Stores the ask and offers it; stores nothing when the policy is another than the one that judged it, or a grant is used up. */
async function make(deps: CreateDeps, asked: Asked, judged: Judged): Promise<Answer | 'judge_again'> {
  const { store, policies, presence, metrics } = deps;
  const { principal, ask, use, also, nowMs } = asked;
  const { plan, verdict } = judged;
  const draft = draftInvocation({ principal, ask, ...judged, isConnected: presence.isConnected, nowMs });
  const other = await store.write(async (tx) => {
    const objection = await storeDraft(tx, draft, { use, admit: () => stillAdmitted(tx, { policies, asked, judged }) });
    if (objection === undefined) await also?.(tx, { id: draft.row.id, createdAtMs: nowMs });
    return objection;
  });
  if (other?.kind === 'judge_again') return other.kind;
  if (other !== undefined) return repeat(other);
  metrics.invocationMade({ action: ask.action, risk: plan.risk, status: verdict.kind });
  if (verdict.kind === 'approved' && verdict.grant !== undefined) metrics.grantUsed();
  if (verdict.kind === 'denied') {
    throw new DeniedByPolicy(verdict.error, draft.row.id);
  }
  dispatchDraft(deps, draft, plan);
  return answerOf(draft);
}

/** What was stored, as a look at the store would show it. */
function answerOf(draft: Draft): Answer {
  const held = draft.executions.filter(({ state }) => state === 'held').length;
  const total = draft.executions.length;
  const counts = { ...noExecutions(), total, held, queued: total - held };
  return {
    invocation: toInvocationView(draft.row, counts),
    replayed: false,
    executions: () =>
      executionRows(draft)
        .sort((a, b) => compareText(a.node, b.node))
        .map((row) => toExecutionView(row, undefined)),
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

/**
 * The answer to an ask that came before.
 * @throws {MusterError} idempotency_conflict, denied_by_policy, rate_limited, too_many_pending, forbidden (asker gone)
 */
export function repeat(other: Earlier | Exclude<NotAdmitted, { kind: 'judge_again' }>): Answer {
  if (other.kind === 'asker_gone') throw new MusterError('forbidden', 'The sandbox was paused or deleted meanwhile');
  if (other.kind === 'past_limit') throw new LimitReached(other.excess);
  if (other.kind === 'refused') throw new MusterError(other.code, other.detail);
  if (other.kind === 'denied') throw new DeniedByPolicy(other.error, other.invocation);
  return { invocation: other.invocation, replayed: true };
}

/** Holds a place on each target until the returned function is called. @throws {MusterError} too_many_open */
export function takePlaces(
  { capacity }: CreateDeps,
  { plan, policy }: Readonly<{ plan: Plan; policy: PolicyInForce }>,
): () => void {
  return capacity.take(nodesOf(plan), policy.document.limits.open_per_node);
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
