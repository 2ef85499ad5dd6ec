import { uuidv7 } from 'uuidv7';
import { parseDuration } from '../../protocol/durations.js';
import { peopleBehind, writeHolders } from '../identity/holders.js';
import type { PolicyInForce } from '../policy/policies.js';
import type { Principal } from '../services.js';
import type { InvocationRow } from '../store/invocations.js';
import type { Verdict } from './draft.js';

/** What the row of an ask says whomever it is for, nodes or an integration. `expiresInMs` counts once it is approved. */
export function askedRow(from: {
  principal: Principal;
  ask: Readonly<{ action: string; target: object; parameters: object; reason?: string | undefined }>;
  plan: Readonly<{ risk: string; digest: string }>;
  policy: PolicyInForce;
  verdict: Verdict;
  expiresInMs: number;
  nowMs: number;
}) {
  const { principal, ask, plan, policy, verdict, expiresInMs, nowMs } = from;
  const approvalMs = Math.ceil(parseDuration(policy.document.approval_time) ?? 0);
  return {
    id: uuidv7(),
    org: principal.org,
    status: verdict.kind,
    action: ask.action,
    target: JSON.stringify(ask.target),
    parameters: JSON.stringify(ask.parameters),
    risk: plan.risk,
    reason: ask.reason ?? null,
    digest: plan.digest,
    created_at: nowMs,
    created_by: principal.id,
    askers: askersOf(principal),
    approved_by: verdict.kind === 'approved' ? verdict.by : null,
    approved_at: verdict.kind === 'approved' ? nowMs : null,
    expires_at: nowMs + (verdict.kind === 'pending' ? approvalMs : expiresInMs),
    ask: verdict.kind === 'pending' ? JSON.stringify(ask) : null,
    completed_at: verdict.kind === 'denied' ? nowMs : null,
    error: verdict.kind === 'denied' ? verdict.error : null,
    cancel_requested_at: null,
    cancel_requested_by: null,
    origin: 'api',
    batch_stopped_at: null,
    error_code: null,
  } satisfies Partial<InvocationRow>;
}

/** Who may be behind the ask beside the one who asks. */
function askersOf(principal: Principal): string | null {
  const people = peopleBehind(principal);
  return people.every((id) => id === principal.id) ? null : writeHolders(people);
}
