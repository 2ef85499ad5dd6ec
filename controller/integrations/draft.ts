import { formatDuration } from '../../protocol/durations.js';
import type { AskIntegration } from '../http/integration-schemas.js';
import { askedRow } from '../invocations/asked-row.js';
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
  const { plan, policy, timeoutMs } = from;
  const row: InvocationRow = {
    ...askedRow({ ...from, expiresInMs: timeoutMs }),
    timeout: formatDuration(timeoutMs),
    stream: 0,
    spread: null,
    total: 0,
    batch: null,
    batches_begun: null,
    integration: plan.integration.name,
    integration_id: plan.integration.id,
  };
  return toDraft(row, policy);
}

/** A row as the store takes it together with what goes to nodes, which is nothing. */
export function toDraft(row: InvocationRow, { version }: PolicyInForce): Draft {
  return { row, executionId: '', executions: [], broadcast: undefined, timeoutMs: 0, policyVersion: version };
}
