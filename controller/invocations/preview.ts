import { formatDuration } from '../../protocol/durations.js';
import { type AskToGrant, applyGrant } from '../grants/match.js';
import type { InvocationPreview } from '../http/schemas.js';
import { stateOf } from '../nodes/presence.js';
import { type Decision, decide } from '../policy/decide.js';
import type { InvocationService } from '../services.js';
import type { CreateDeps } from './create.js';
import { nodesOf, type Plan, questionOf } from './plan.js';
import { planFor } from './plan-for.js';

/** A preview names this many nodes. */
const MAX_NAMED = 200;

/** Plans and judges an ask as `create` does, and stores nothing. */
export function createPreview(deps: CreateDeps): InvocationService['preview'] {
  const { policies, registry, capacity, defaultExpiresInMs } = deps;
  return async (principal, ask) => {
    const { action, target } = ask;
    const { document: policy } = await policies.current(principal.org);
    const plan = planFor(registry, { principal, ask, policy, defaultExpiresInMs });
    const decision = await previewDecision(deps, { principal, policy, question: questionOf(plan, ask) });
    capacity.check(nodesOf(plan), policy.limits.open_per_node);
    const nodes = previewNodes(deps, plan, action);
    const count = (passes: (node: (typeof nodes)[number]) => boolean): number => nodes.filter(passes).length;
    return {
      ...{ action, target, decision, risk: plan.risk, timeout: plan.timeout, digest: plan.digest },
      expires_in: formatDuration(plan.expiresInMs),
      batches: plan.batches?.count ?? 1,
      counts: {
        total: nodes.length,
        online: count(({ state }) => state === 'online'),
        offline: count(({ state }) => state === 'offline'),
        never_seen: count(({ state }) => state === 'never_seen'),
        without_action: count(({ offers_action }) => !offers_action),
      },
      nodes: nodes.slice(0, MAX_NAMED),
      nodes_left_out: Math.max(0, nodes.length - MAX_NAMED),
    };
  };
}

function previewNodes({ presence, clock }: CreateDeps, { targets }: Plan, action: string): InvocationPreview['nodes'] {
  const nodes = targets.map(({ record }) => ({
    node: record.node,
    state: stateOf(presence, record, clock.nowMs()),
    offers_action: record.catalogue?.has(action) ?? false,
  }));
  return [...nodes.filter(({ state }) => state !== 'online'), ...nodes.filter(({ state }) => state === 'online')];
}

/** What the policy would say, and a grant where it would let it wait; nothing is used up. */
export async function previewDecision(
  { store, clock }: Pick<CreateDeps, 'store' | 'clock'>,
  ask: Omit<AskToGrant, 'nowMs'>,
): Promise<InvocationPreview['decision']> {
  const decision = decide(ask.policy, ask.principal, ask.question);
  if (decision.kind === 'refused') return toDecision(decision);
  return toDecision(await applyGrant(store.read, { ...ask, nowMs: clock.nowMs() }, decision));
}

function toDecision(decision: Decision): InvocationPreview['decision'] {
  const { kind } = decision;
  if (kind === 'refused') return { kind, code: decision.code, detail: decision.detail };
  if (kind === 'denied') return { kind, code: 'denied_by_policy', detail: decision.error };
  return { kind, code: null, detail: null };
}
