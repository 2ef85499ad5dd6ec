import { uuidv7 } from 'uuidv7';
import { formatDuration, parseDuration } from '../../protocol/durations.js';
import type { AskIntegration } from '../http/integration-schemas.js';
import type { Draft, Verdict } from '../invocations/draft.js';
import type { PolicyInForce } from '../policy/policies.js';
import type { Principal } from '../services.js';
import type { InvocationRow } from '../store/invocations.js';
import type { ActionPlan } from './plan.js';

/** Turns an ask and a verdict into the row that is stored, whatever becomes of it. It has no executions. */
export function draftAction(from: {
  principal: Principal;
  ask: AskIntegration;
  plan: ActionPlan;
  policy: PolicyInForce;
  verdict: Verdict;
  timeoutMs: number;
  nowMs: number;
}): Draft {
  const { principal, ask, plan, policy, verdict, timeoutMs, nowMs } = from;
  const approvalMs = Math.ceil(parseDuration(policy.document.approval_time) ?? 0);
  const row: InvocationRow = {
    id: uuidv7(),
    org: principal.org,
    status: verdict.kind,
    action: ask.action,
    target: JSON.stringify(ask.target),
    parameters: JSON.stringify(ask.parameters),
    risk: plan.risk,
    timeout: formatDuration(timeoutMs),
    reason: ask.reason ?? null,
    ...{ stream: 0, spread: null, total: 0, origin: 'api' },
    digest: plan.digest,
    created_at: nowMs,
    created_by: principal.id,
    approved_by: verdict.kind === 'approved' ? verdict.by : null,
    approved_at: verdict.kind === 'approved' ? nowMs : null,
    expires_at: nowMs + (verdict.kind === 'pending' ? approvalMs : timeoutMs),
    ask: verdict.kind === 'pending' ? JSON.stringify(ask) : null,
    completed_at: verdict.kind === 'denied' ? nowMs : null,
    error: verdict.kind === 'denied' ? verdict.error : null,
    ...{ cancel_requested_at: null, cancel_requested_by: null },
    ...{ batch: null, batches_begun: null, batch_stopped_at: null },
    ...{ integration: plan.integration.name, integration_id: plan.integration.id, error_code: null },
  };
  return toDraft(row, policy);
}

/** A row as the store takes it together with what goes to nodes, which is nothing. */
export function toDraft(row: InvocationRow, { version }: PolicyInForce): Draft {
  return { row, executionId: '', executions: [], broadcast: undefined, timeoutMs: 0, policyVersion: version };
}
