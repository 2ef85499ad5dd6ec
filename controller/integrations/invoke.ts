import { formatDuration } from '../../protocol/durations.js';
import { MusterError } from '../../protocol/errors.js';
import type { AskIntegration } from '../http/integration-schemas.js';
import { judgeAsk, pastLimit, refuseEarly, repeat, stillAdmitted, useOf } from '../invocations/create.js';
import type { Verdict } from '../invocations/draft.js';
import { previewDecision } from '../invocations/preview.js';
import { findEarlier, storeDraft } from '../invocations/store-draft.js';
import { toInvocationView } from '../invocations/views.js';
import type { ControllerMetrics } from '../metrics.js';
import type { Question } from '../policy/decide.js';
import { LimitReached } from '../policy/limits.js';
import type { Policies, PolicyInForce } from '../policy/policies.js';
import { reachOf } from '../sandboxes/reach.js';
import type { Principal } from '../services.js';
import type { IdempotencyUse } from '../store/idempotency.js';
import { findIntegration } from '../store/integrations.js';
import { beginInvocations, type InvocationRow, noExecutions } from '../store/invocations.js';
import type { Store } from '../store/store.js';
import { createTurns } from '../turns.js';
import { draftAction } from './draft.js';
import type { IntegrationService } from './integration-service.js';
import { type ActionPlan, planAction, policyNameOf } from './plan.js';
import type { Place, Runner, RunnerDeps } from './runner.js';

export type InvokeDeps = RunnerDeps &
  Readonly<{ store: Store; policies: Policies; metrics: ControllerMetrics; runner: Runner }>;

type Asked = Readonly<{
  principal: Principal;
  ask: AskIntegration;
  use: IdempotencyUse | undefined;
  also: Parameters<IntegrationService['invoke']>[2]['also'];
  nowMs: number;
}>;

/** What an ask comes to, and by which policy. */
type Judged = Readonly<{
  policy: PolicyInForce;
  plan: ActionPlan;
  question: Question;
  verdict: Verdict;
  place: Place | undefined;
}>;

type Answer = Awaited<ReturnType<IntegrationService['invoke']>>;

/** Asks integrations: plan, decide, store in one transaction, begin. */
export function createInvoke(deps: InvokeDeps): Pick<IntegrationService, 'invoke' | 'preview'> {
  const inTurn = createTurns();
  return {
    invoke(principal, ask, request) {
      const nowMs = deps.clock.nowMs();
      const use = useOf(principal, request, nowMs);
      const asked = { principal, ask, use, also: request.also, nowMs };
      return use === undefined ? answer(deps, asked) : inTurn(`${use.principal} ${use.key}`, () => answer(deps, asked));
    },
    async preview(principal, ask) {
      const policy = await deps.policies.current(principal.org);
      const plan = await planIn(deps, { principal, ask }, policy);
      return {
        ...{ action: ask.action, target: ask.target, risk: plan.risk, digest: plan.digest },
        decision: await previewDecision(deps, { principal, policy: policy.document, question: plan.question }),
        timeout: formatDuration(deps.timeoutMs),
        expires_in: formatDuration(deps.timeoutMs),
        batches: 1,
        counts: { total: 0, online: 0, offline: 0, never_seen: 0, without_action: 0 },
        ...{ nodes: [], nodes_left_out: 0 },
      };
    },
  };
}

async function answer(deps: InvokeDeps, asked: Asked): Promise<Answer> {
  const { policies, store } = deps;
  const { principal, use } = asked;
  const before = use === undefined ? undefined : await findEarlier(store.read, use);
  if (before !== undefined) return repeat(before);
  for (;;) {
    const judged = await policies.judge(principal.org, (policy) => admit(deps, asked, policy));
    const made = await make(deps, asked, judged).finally(judged.place?.release);
    if (made !== 'judge_again') return made;
    await policies.current(principal.org);
  }
}

async function planIn(
  { store, adapters }: InvokeDeps,
  { principal, ask }: Pick<Asked, 'principal' | 'ask'>,
  { document: policy }: PolicyInForce,
): Promise<ActionPlan> {
  const integration = await findIntegration(store.read, principal.org, ask.target.integration);
  return planAction({ adapters, policy, reach: reachOf(principal) }, integration, ask);
}

/** What an ask comes to under this policy; a place is taken when it is to run. */
async function admit(deps: InvokeDeps, asked: Asked, policy: PolicyInForce): Promise<Judged> {
  const { ask } = asked;
  await refuseEarly(deps, asked, policy);
  const plan = await planIn(deps, asked, policy);
  if (ask.digest !== undefined && ask.digest !== plan.digest) {
    throw new MusterError('plan_changed', 'The integration or its action is another one than was looked at');
  }
  const { question } = plan;
  const verdict = await judgeAsk(deps.store.read, asked, { policy, question });
  const early = await pastLimit(deps.store.read, asked, { policy, verdict });
  if (early !== undefined) throw new LimitReached(early.excess);
  return {
    ...{ policy, plan, question, verdict },
    place: verdict.kind === 'approved' ? deps.runner.take(plan.integration.id) : undefined,
  };
}

/** Stores the ask and begins it; stores nothing when the policy is another than the one that judged it, or a grant is used up. */
async function make(deps: InvokeDeps, asked: Asked, judged: Judged): Promise<Answer | 'judge_again'> {
  const { store, policies, metrics, timeoutMs } = deps;
  const { principal, ask, use, also, nowMs } = asked;
  const { policy, plan, verdict, place } = judged;
  const draft = draftAction({ principal, ask, plan, policy, verdict, timeoutMs, nowMs });
  const { id } = draft.row;
  const other = await store.write(async (tx) => {
    const objection = await storeDraft(tx, draft, { use, admit: () => stillAdmitted(tx, { policies, asked, judged }) });
    if (objection !== undefined) return objection;
    if (place !== undefined) await beginInvocations(tx, [id], nowMs);
    await also?.(tx, { id, createdAtMs: nowMs });
    return undefined;
  });
  if (other?.kind === 'judge_again') return other.kind;
  if (other !== undefined) return repeat(other);
  metrics.invocationMade({ action: policyNameOf(ask), risk: plan.risk, status: verdict.kind });
  if (verdict.kind === 'approved' && verdict.grant !== undefined) metrics.grantUsed();
  const row: InvocationRow = place === undefined ? draft.row : { ...draft.row, status: 'executing' };
  place?.begin(row);
  return { invocation: toInvocationView(row, noExecutions()), replayed: false };
}
