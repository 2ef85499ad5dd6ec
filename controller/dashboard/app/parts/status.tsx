import type { ExecutionStatus, InvocationStatus, NodeState } from '../../../http/schemas.js';

/** How a state looks; it always says its name, too. */
const TONES: Readonly<
  Record<NodeState | InvocationStatus | ExecutionStatus, 'good' | 'bad' | 'busy' | 'wait' | 'off'>
> = {
  online: 'good',
  offline: 'off',
  never_seen: 'off',
  pending: 'wait',
  approved: 'busy',
  executing: 'busy',
  completed: 'good',
  failed: 'bad',
  denied: 'bad',
  expired: 'bad',
  cancelled: 'off',
  held: 'wait',
  queued: 'wait',
  sent: 'busy',
  accepted: 'busy',
  rejected: 'bad',
  success: 'good',
  timeout: 'bad',
  error: 'bad',
};

/** A state in words, with a colour of its kind. */
export function Status({ of }: { of: keyof typeof TONES }) {
  return <span className={`status ${TONES[of]}`}>{of.replaceAll('_', ' ')}</span>;
}
