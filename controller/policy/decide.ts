import type { Labels } from '../../protocol/selectors.js';
import { peopleBehind } from '../identity/holders.js';
import { reaches } from '../identity/roles.js';
import { type ReachedNode, reachOf } from '../sandboxes/reach.js';
import type { Principal } from '../services.js';
import { accessOf, type Matter, mayAsk, protectionOf } from './access.js';
import type { PolicyDocument } from './document.js';

type RefusalCode = 'forbidden' | 'outside_sandbox' | 'confirmation_required' | 'reason_required';

/** What the policy says of one ask. */
export type Decision =
  | Readonly<{ kind: 'approved'; by: string }>
  /** A person has to approve it first. */
  | Readonly<{ kind: 'pending' }>
  | Readonly<{ kind: 'denied'; error: string }>
  | Readonly<{ kind: 'refused'; code: RefusalCode; detail: string }>;

/** An ask as a policy judges it. */
export type Question = Matter &
  Readonly<{
    nodes: readonly ReachedNode[];
    /** Those of the nodes that the ask names. */
    containers?: readonly Readonly<{ labels: Labels }>[];
    /** Id of the integration whose action it is; null when that is gone, and nothing will be asked of it. */
    integration?: string | null;
    /** SHA-256 of every different thing that would run, for grants: they are for what stood behind the name (S-A-42). */
    definitions?: () => readonly string[];
    reason: string | undefined;
    /** True when an admin or owner said that they mean it. */
    confirmed: boolean;
  }>;

/**
 * Reading is approved, a write waits for a person unless an owner asks or an admin who confirms it, and danger is denied
 * unless the policy names who may approve it.
 */
export function decide(policy: PolicyDocument, principal: Principal, question: Question): Decision {
  const { risk, confirmed } = question;
  const access = accessOf(policy, question);
  if (!mayAsk(principal.role)) return forbidden('A viewer may not ask for actions');
  const beyond = refusalBeyond(principal, question);
  if (beyond !== undefined) return beyond;
  if (!access.mayAsk(principal)) return forbidden('The policy names others who may ask for this');
  const refusal = refusalByProtection(policy, principal, question);
  if (refusal !== undefined) return refusal;
  if (risk === 'read') return { kind: 'approved', by: 'policy' };
  if (!access.isApprovable) return { kind: 'denied', error: 'The policy denies actions of risk danger' };
  if (access.isDistinct || !access.mayApprove(principal)) return { kind: 'pending' };
  if (confirmed || (principal.role === 'owner' && risk === 'write')) return { kind: 'approved', by: principal.id };
  return {
    kind: 'refused',
    code: 'confirmation_required',
    detail: 'The action changes something and was not confirmed',
  };
}

/** Why this principal may not approve what these asked for, or could have; undefined when they may. */
export function decideApproval(
  policy: PolicyDocument,
  principal: Principal,
  { matter, askedBy }: { matter: Matter; askedBy: readonly string[] },
): Readonly<{ code: 'forbidden'; detail: string }> | undefined {
  const access = accessOf(policy, matter);
  const refuse = (detail: string) => ({ code: 'forbidden', detail }) as const;
  if (!reaches(principal.role, 'admin')) return refuse('Admins and owners approve');
  if (!access.mayApprove(principal)) return refuse('The policy names others who may approve this');
  if (access.isDistinct && peopleBehind(principal).some((id) => askedBy.includes(id)))
    return refuse('Somebody other than who asked has to approve this');
  return undefined;
}

/** Why what waits may not be approved by anybody any more under the policy of now; undefined when it may. */
export function revalidate(policy: PolicyDocument, asker: Principal, question: Question): string | undefined {
  const decision = decide(policy, asker, { ...question, confirmed: true });
  if (decision.kind === 'denied') return decision.error;
  return decision.kind === 'refused' ? decision.detail : undefined;
}

/** What a sandbox is not connected to it may not ask; people reach all of their org. */
function refusalBeyond(principal: Principal, { action, nodes, integration }: Question): Decision | undefined {
  const reach = reachOf(principal);
  if (reach === undefined) return undefined;
  if (principal.sandbox?.isPaused === true) return forbidden('The sandbox is paused');
  if (integration === null) return undefined;
  const isWithin =
    integration === undefined
      ? nodes.length > 0 && nodes.every((node) => reach.mayAsk(action, node))
      : reach.mayAskOf(integration, action.slice(action.indexOf('/') + 1));
  const where = integration === undefined ? ' on all of these nodes' : '';
  const detail = `The sandbox is not connected to ${action}${where}`;
  return isWithin ? undefined : { kind: 'refused', code: 'outside_sandbox', detail };
}

/** What is asked of protected nodes and containers needs a role and a reason. */
function refusalByProtection(policy: PolicyDocument, { role }: Principal, question: Question): Decision | undefined {
  const needed = protectionOf(policy, question, [...question.nodes, ...(question.containers ?? [])]);
  if (needed === undefined) return undefined;
  if (!reaches(role, needed)) return forbidden(`A target is protected: this needs the role ${needed}`);
  if ((question.reason ?? '').trim() !== '') return undefined;
  return { kind: 'refused', code: 'reason_required', detail: 'A target is protected, and the ask gives no reason' };
}

function forbidden(detail: string): Decision {
  return { kind: 'refused', code: 'forbidden', detail };
}
