import type { z } from 'zod';
import type { Counts, ExecutionStatus, InvocationStatus } from '../http/schemas.js';
import { EXECUTION_STATUSES } from '../http/statuses.js';

/** The states of an execution that may still move by themselves. */
export const OPEN_STATUSES = ['held', 'queued', 'sent', 'accepted'] as const satisfies readonly ExecutionStatus[];

/** Those of them in which its node has not said that it has it. */
export const WAITING_STATUSES = ['held', 'queued', 'sent'] as const satisfies readonly ExecutionStatus[];

/** What stands in an execution that a stop between two batches ended: too many had failed, or the policy is against it. */
export const STOP_REASONS = ['batch_stopped', 'policy_revalidated_deny'] as const;
export type StopReason = (typeof STOP_REASONS)[number];

/** Why executions may have ended that never began: somebody wanted it, or a rollout was stopped. */
type Wishes = Readonly<{ isToEnd?: boolean; stopped?: StopReason | undefined }>;

const STOPPED: Readonly<Record<StopReason, string>> = {
  batch_stopped: 'too many had failed',
  policy_revalidated_deny: 'the policy allows it no longer',
};

/**
 * What an approved invocation is, by the states of its executions: `completed` when all succeeded, `expired` when none
 * was accepted in time, `cancelled` when somebody wanted it to end and some did for that, `failed` when it ended in any
 * other way. `error` says in words what did not succeed.
 */
export function statusOf(
  counts: Readonly<z.infer<typeof Counts>>,
  { isToEnd = false, stopped }: Wishes,
): {
  status: Extract<InvocationStatus, 'approved' | 'executing' | 'completed' | 'failed' | 'expired' | 'cancelled'>;
  error: string | null;
} {
  const waiting = counts.held + counts.queued + counts.sent;
  const open = waiting + counts.accepted;
  if (open > 0) return { status: waiting === counts.total ? 'approved' : 'executing', error: null };
  if (counts.success === counts.total) return { status: 'completed', error: null };
  const error = EXECUTION_STATUSES.filter((status) => status !== 'success' && counts[status] > 0)
    .map((status) => `${counts[status]} ${status}`)
    .join(', ');
  const isCancelled = isToEnd && counts.cancelled + counts.expired > 0;
  const status = isCancelled ? 'cancelled' : counts.expired === counts.total ? 'expired' : 'failed';
  const why = stopped === undefined ? '' : `; stopped, since ${STOPPED[stopped]}`;
  return { status, error: `of ${counts.total}: ${error}${why}` };
}
