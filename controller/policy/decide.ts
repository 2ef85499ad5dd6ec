import type { Risk } from '../../protocol/messages/capabilities.js';
import { reaches } from '../identity/roles.js';
import type { Principal, Role } from '../services.js';

/** What the policy says of one ask. */
export type Decision =
  | Readonly<{ kind: 'approved'; by: string }>
  /** A person has to approve it first. */
  | Readonly<{ kind: 'pending' }>
  | Readonly<{ kind: 'denied'; error: string }>
  | Readonly<{ kind: 'refused'; code: 'forbidden' | 'confirmation_required'; detail: string }>;

/**
 * Reading is approved, danger is denied, and a write waits for a person, unless an owner asks or an admin who confirms
 * it.
 */
export function decide({ role, id }: Principal, risk: Risk, confirmed: boolean): Decision {
  if (!mayAsk(role)) return { kind: 'refused', code: 'forbidden', detail: 'A viewer may not ask for actions' };
  if (risk === 'danger') return { kind: 'denied', error: 'The policy denies actions of risk danger' };
  if (risk === 'read') return { kind: 'approved', by: 'policy' };
  if (role === 'owner' || (role === 'admin' && confirmed)) return { kind: 'approved', by: id };
  if (role === 'admin') {
    return {
      kind: 'refused',
      code: 'confirmation_required',
      detail: 'The action changes something and was not confirmed',
    };
  }
  return { kind: 'pending' };
}

/** Whether a role may ask for actions at all. */
export function mayAsk(role: Role): boolean {
  return reaches(role, 'operator');
}

/** Why this principal may not approve an ask of this risk now; undefined when they may. */
export function decideApproval(
  { role }: Principal,
  risk: Risk,
): Readonly<{ code: 'forbidden' | 'denied_by_policy'; detail: string }> | undefined {
  if (role !== 'owner' && role !== 'admin') return { code: 'forbidden', detail: 'Admins and owners approve' };
  if (risk === 'danger') return { code: 'denied_by_policy', detail: 'The policy denies actions of risk danger' };
  return undefined;
}
