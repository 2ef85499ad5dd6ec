import { OUTCOMES } from '../../protocol/outcomes.js';

/** Invocation states (A-33 and `cancelled`), in the order in which one comes to them. */
export const INVOCATION_STATUSES = [
  'pending',
  'approved',
  'executing',
  'completed',
  'failed',
  'denied',
  'expired',
  'cancelled',
] as const;

/** States after which an invocation changes no more. */
export const ENDED_STATUSES: ReadonlySet<(typeof INVOCATION_STATUSES)[number]> = new Set([
  'completed',
  'failed',
  'denied',
  'expired',
  'cancelled',
]);

/** Execution states: waiting for its batch, on the way, then one of the agent's outcomes or the controller's own ends. */
export const EXECUTION_STATUSES = ['held', 'queued', 'sent', 'accepted', 'rejected', 'expired', ...OUTCOMES] as const;
