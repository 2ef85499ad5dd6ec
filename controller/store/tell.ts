import { Risk } from '../../protocol/messages/capabilities.js';
import { toTime } from '../../runtime/clock.js';
import { redactParameters } from '../events/redact.js';
import { padded } from '../grouping.js';
import { type Event, OWN_INTEGRATION } from '../http/event-schemas.js';
import { ExecutionStatus, InvocationStatus } from '../http/schemas.js';
import { ENDED_STATUSES } from '../http/statuses.js';
import { readParameters } from '../http/target-schemas.js';
import type { Tx } from './database.js';
import type { ExecutionRow } from './executions.js';
import type { InvocationCounts, InvocationRow } from './invocations.js';

/** What has to be known of an invocation to tell of it. */
export const TOLD_INVOCATION = [
  'id',
  'org',
  'status',
  'action',
  'integration',
  'risk',
  'created_by',
  'total',
  'error',
] as const;
export type ToldInvocation = Pick<InvocationRow, (typeof TOLD_INVOCATION)[number]>;

/** What has to be known of an execution to tell of it. */
export const TOLD_EXECUTION = [
  'execution_id',
  'invocation_id',
  'node',
  'status',
  'reason',
  'error_code',
  'unreachable',
  'cancelling',
  'provisional',
  'open',
] as const;
/** What an integration answered, as it is stored. */
type Answered = Readonly<{ answer: unknown }>;

type ToldExecution = Pick<ExecutionRow, (typeof TOLD_EXECUTION)[number]>;

/**
 * Tells of an invocation in its new state: `invocation`, and `action_completed` when this is its end. What was denied
 * never was an action under way. `result` is how many executions ended in which way, or what an integration answered.
 */
export function tellInvocation(tx: Tx, row: ToldInvocation, result?: InvocationCounts | Answered): void {
  const { id, org, action, integration, created_by, total, error } = row;
  const status = InvocationStatus.parse(row.status);
  const risk = Risk.parse(row.risk);
  const head = { type: 'invocation', invocation_id: id, status, action, integration } as const;
  tx.tell({ org, event: { ...head, risk, created_by, total, error } });
  if (ENDED_STATUSES.has(status) && status !== 'denied') tx.tell({ org, event: completionOf(row, result) });
}

/** Tells of invocations that were changed without being read. */
export async function tellInvocations(tx: Tx, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const rows = await tx.selectFrom('invocations').select(TOLD_INVOCATION).where('id', 'in', padded(ids)).execute();
  for (const row of rows) tellInvocation(tx, row);
}

/** Tells that an ask waits for a person. */
export function tellApprovalRequest(
  tx: Tx,
  row: ToldInvocation & Pick<InvocationRow, 'parameters' | 'expires_at'>,
): void {
  const event = {
    type: 'action_approval_request',
    invocationId: row.id,
    integration: row.integration ?? OWN_INTEGRATION,
    action: row.action,
    riskLevel: Risk.parse(row.risk),
    params: redactParameters(readParameters(row.parameters)),
    expiresAt: toTime(row.expires_at),
  } as const;
  tx.tell({ org: row.org, event });
}

/** Tells what became of what waited, and which person said so; nobody did when the policy denied it. */
export function tellApprovalResult(
  tx: Tx,
  { org, id, status, by }: { org: string; id: string; status: 'approved' | 'denied'; by: string | undefined },
): void {
  const approvedBy = by === undefined ? {} : { approvedBy: by };
  tx.tell({ org, event: { type: 'action_approval_result', invocationId: id, status, ...approvedBy } });
}

/** Tells that a grant was made or revoked; its uses are invocations. */
export function tellGrant(
  tx: Tx,
  { org, id, change, by }: { org: string; id: string; change: 'made' | 'revoked'; by: string },
): void {
  tx.tell({ org, event: { type: 'grant', grant_id: id, change, by } });
}

/** Tells of an execution in its new state. */
export function tellExecution(tx: Tx, row: ToldExecution): void {
  const { execution_id, invocation_id, node, reason, error_code } = row;
  tx.tell({
    event: {
      type: 'execution',
      ...{ invocation_id, execution_id, node, reason, error_code },
      status: ExecutionStatus.parse(row.status),
      unreachable: row.unreachable === 1,
      cancelling: row.open === 1 && row.cancelling === 1,
      provisional: row.provisional === 1,
    },
  });
}

function completionOf(
  { id, status, error }: ToldInvocation,
  result: InvocationCounts | Answered = { answer: undefined },
): Event {
  const told = 'answer' in result ? result.answer : countsOf(result);
  return {
    type: 'action_completed',
    invocationId: id,
    status: status === 'completed' ? 'completed' : 'failed',
    ...(told === undefined ? {} : { result: told }),
    ...(status === 'completed' ? {} : { error: error ?? status }),
  };
}

/** Of the states that there are; undefined when there is none. */
function countsOf(counts: InvocationCounts): Record<string, number> | undefined {
  const some = Object.entries(counts).filter(([, count]) => count > 0);
  return some.length === 0 ? undefined : Object.fromEntries(some);
}
