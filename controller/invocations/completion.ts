import type { z } from 'zod';
import { type Counts, EXECUTION_STATUSES, type ExecutionStatus, type InvocationStatus } from '../http/schemas.js';

/** The states of an execution that may still move by themselves. */
export const OPEN_STATUSES = ['queued', 'sent', 'accepted'] as const satisfies readonly ExecutionStatus[];

/**
 * What an approved invocation is, by the states of its executions: `completed` when all succeeded, `expired` when none
 * was accepted in time, `failed` when it ended in any other way. `error` says in words what did not succeed.
 */
export function statusOf(counts: Readonly<z.infer<typeof Counts>>): {
  status: Extract<InvocationStatus, 'approved' | 'executing' | 'completed' | 'failed' | 'expired'>;
  error: string | null;
} {
  const waiting = counts.queued + counts.sent;
  const open = waiting + counts.accepted;
  if (open > 0) return { status: waiting === counts.total ? 'approved' : 'executing', error: null };
  if (counts.success === counts.total) return { status: 'completed', error: null };
  const error = EXECUTION_STATUSES.filter((status) => status !== 'success' && counts[status] > 0)
    .map((status) => `${counts[status]} ${status}`)
    .join(', ');
  return { status: counts.expired === counts.total ? 'expired' : 'failed', error: `of ${counts.total}: ${error}` };
}
