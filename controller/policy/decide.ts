import type { Risk } from '../../protocol/messages/capabilities.js';
import type { Principal } from '../services.js';

/** What the policy says of one ask. */
export type Decision =
  | Readonly<{ kind: 'approved'; by: string }>
  | Readonly<{ kind: 'denied'; error: string }>
  | Readonly<{ kind: 'refused'; code: 'forbidden' | 'confirmation_required'; detail: string }>;

/** Reading is approved, danger is denied, and a write wants the confirmed ask of an admin or the ask of an owner. */
export function decide({ role, id }: Principal, risk: Risk, confirmed: boolean): Decision {
  if (role === 'viewer') return { kind: 'refused', code: 'forbidden', detail: 'A viewer may not ask for actions' };
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
  return { kind: 'refused', code: 'forbidden', detail: 'An action that changes something needs an admin or an owner' };
}
