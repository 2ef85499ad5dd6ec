import { MusterError } from '../../protocol/errors.js';
import { Risk } from '../../protocol/messages/capabilities.js';
import { AskIntegration } from '../http/integration-schemas.js';
import { type ApprovalDeps, commitApproval } from '../invocations/approve.js';
import type { PolicyInForce } from '../policy/policies.js';
import { findIntegrationById } from '../store/integrations.js';
import { beginInvocations, type InvocationRow } from '../store/invocations.js';
import { toDraft } from './draft.js';
import type { InvokeDeps } from './invoke.js';
import { planAction, questionOf } from './plan.js';

/**
 * Approves what waits for an integration, and begins it at once. When the integration is gone by now it is
 * approved, and fails (S-A-21).
 */
export function createApproveAction(deps: InvokeDeps): ApprovalDeps['approveAction'] {
  const { policies, clock, runner, timeoutMs } = deps;
  return async (principal, { row, beside }) => {
    const nowMs = clock.nowMs();
    const policy = await policies.current(row.org);
    const question = await judgeAgain(deps, row, policy);
    const place = runner.take(row.integration_id ?? row.id);
    try {
      const approved = {
        ...row,
        ...{ status: 'approved', risk: question.risk, approved_by: principal.id, approved_at: nowMs, ask: null },
        expires_at: nowMs + timeoutMs,
      };
      const approval = { principal, policy, question, draft: toDraft(approved, policy), beside };
      const other = await commitApproval(deps, approval, (tx) => beginInvocations(tx, [row.id], nowMs));
      if (other !== undefined) return other;
      const begun = { ...approved, status: 'executing' };
      place.begin(begun);
      return begun;
    } finally {
      place.release();
    }
  };
}

/** @throws {MusterError} conflict: it would be something else by now (S-A-42) */
async function judgeAgain({ store, adapters }: InvokeDeps, row: InvocationRow, { document: policy }: PolicyInForce) {
  const ask = AskIntegration.parse(JSON.parse(row.ask ?? '{}'));
  const id = row.integration_id;
  const integration = id === null ? undefined : await findIntegrationById(store.read, row.org, id);
  if (integration?.status !== 'active' || !adapters.has(integration.adapter)) {
    return questionOf(ask, Risk.parse(row.risk), id);
  }
  const plan = planAction({ adapters, policy }, integration, ask);
  if (plan.digest === row.digest) return plan.question;
  throw new MusterError('conflict', 'The integration or its action has changed since it was asked: ask again');
}
