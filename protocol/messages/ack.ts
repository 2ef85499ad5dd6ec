import { z } from 'zod';
import { ExecutionId, Id, Sha256Hex } from '../ids.js';

/** Why a request was not taken, in the order in which the agent checks (P-89 and wire.md). */
export const REJECTION_REASONS = [
  'actions_disabled',
  'shutting_down',
  'duplicate_execution_id',
  'not_yet_valid',
  'expired',
  'before_epoch',
  'wrong_target',
  'cancelled',
  'max_concurrent_reached',
  'unknown_action',
  'storage_failed',
] as const;
export type RejectionReason = (typeof REJECTION_REASONS)[number];

/** After these the same request is offered again, with back-off; every other reason ends the execution. */
export const PASSING_REASONS: ReadonlySet<RejectionReason> = new Set([
  'max_concurrent_reached',
  'shutting_down',
  'storage_failed',
  'not_yet_valid',
]);

/** Payload of `muster-ack` (P-91). */
export const Ack = z
  .object({
    v: z.literal(1),
    execution_id: ExecutionId,
    node: Id,
    org: Id,
    request_sha256: Sha256Hex,
    status: z.enum(['accepted', 'rejected']),
    reason: z.enum(['', ...REJECTION_REASONS]),
  })
  .refine(
    ({ status, reason }) => (status === 'accepted') === (reason === ''),
    'reason stands with rejected, and only there',
  );
export type Ack = Readonly<z.infer<typeof Ack>>;
