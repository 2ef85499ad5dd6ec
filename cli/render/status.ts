import type { ExecutionStatus, ExecutionView, InvocationStatus } from '../../controller/http/schemas.js';
import { ENDED_STATUSES } from '../../controller/http/statuses.js';
import { STOP_REASONS } from '../../controller/invocations/completion.js';
import type { Cell } from './table.js';

const OPEN: ReadonlySet<ExecutionStatus> = new Set(['held', 'queued', 'sent', 'accepted']);

export function invocationCell(status: InvocationStatus): Cell {
  if (!ENDED_STATUSES.has(status)) return { text: status, tone: 'dim' };
  return { text: status, tone: status === 'completed' ? 'good' : 'bad' };
}

export function executionCell(status: ExecutionStatus): Cell {
  if (OPEN.has(status)) return { text: status, tone: 'dim' };
  return { text: status, tone: status === 'success' ? 'good' : 'bad' };
}

function isStop(reason: string | null): boolean {
  return STOP_REASONS.some((each) => each === reason);
}

/** What there is to say of an execution beside its status and exit code; empty when there is nothing. */
export function noteOf(execution: ExecutionView): string {
  const { status, reason, error_code, error, launched, provisional, unreachable, cancelling } = execution;
  const parts = [
    status === 'rejected' || isStop(reason) ? reason : null,
    error_code === null ? null : `${error_code}${error === null ? '' : `: ${error}`}`,
    launched === null ? null : `launched: ${launched}`,
    provisional ? 'concluded by the controller' : null,
    cancelling ? 'to be cancelled' : null,
    unreachable ? 'no answer from the node yet' : null,
  ];
  return parts.filter((part) => part !== null).join(', ');
}
