import { MusterError } from '../../protocol/errors.js';
import type { CreateInvocation } from '../http/schemas.js';
import type { Registry } from '../nodes/registry.js';
import type { PolicyDocument } from '../policy/document.js';
import { narrowRegistry, reachOf } from '../sandboxes/reach.js';
import type { Principal } from '../services.js';
import { type Plan, planInvocation } from './plan.js';
import { resolveTargets } from './targets.js';

/**
 * Plans an ask as whoever asks sees the fleet. What lies beyond the connections of a sandbox is not there for it, and a
 * selector that reaches further is refused: the request for a group or the fleet would go to all of it.
 * @throws {MusterError} outside_sandbox, and what {@link planInvocation} throws
 */
export function planFor(
  registry: Registry,
  {
    principal,
    ...about
  }: { principal: Principal; ask: CreateInvocation; policy: PolicyDocument; defaultExpiresInMs: number },
): Plan {
  const { org } = principal;
  const reach = reachOf(principal);
  if (reach === undefined) return planInvocation(registry, { org, ...about });
  const plan = planInvocation(narrowRegistry(registry, reach), { org, ...about });
  const { target } = about.ask;
  if ('nodes' in target || resolveTargets(registry, org, target).length === plan.targets.length) return plan;
  throw new MusterError(
    'outside_sandbox',
    'The target reaches nodes that the sandbox is not connected to: name the nodes',
  );
}
