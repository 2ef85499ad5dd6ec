import { MusterError } from '../../protocol/errors.js';
import { type GrantBeside, grantAsReviewed, insertGrant, refusalOfGrant } from '../grants/make.js';
import { isGrantable } from '../grants/match.js';
import type { GrantRow } from '../grants/rows.js';
import { CreateInvocation } from '../http/schemas.js';
import { peopleBehind, readHolders } from '../identity/holders.js';
import { decideApproval, type Question, revalidate } from '../policy/decide.js';
import type { PolicyInForce } from '../policy/policies.js';
import type { Principal } from '../services.js';
import type { Tx } from '../store/database.js';
import type { InvocationRow } from '../store/invocations.js';
import { askerGone, findAsker } from './asker.js';
import { type CreateDeps, dispatchDraft, takePlaces } from './create.js';
import { decideOnce, type Refusal } from './decide-once.js';
import { type Draft, draftApproved } from './draft.js';
import type { ExpiryDeps } from './expire-pending.js';
import { type Plan, planInvocation, questionOf } from './plan.js';
import { insertDraft } from './store-draft.js';

/** What is to be approved, and the grant that is to be made with it. */
export type ToApprove = Readonly<{ row: InvocationRow; beside: GrantBeside | undefined }>;

export type ApprovalDeps = CreateDeps &
  ExpiryDeps &
  Readonly<{
    /** As `approveNow`, for what is asked of an integration. */
    approveAction: (principal: Principal, asked: ToApprove) => Promise<InvocationRow | 'policy_changed'>;
  }>;

/** What came of an approval, when it was not done. */
type NotApproved =
  | Readonly<{ kind: 'refused'; refusal: Refusal | Readonly<{ code: 'unauthenticated'; detail: string }> }>
  /** The policy of now would not have let it wait: it is denied. */
  | Readonly<{ kind: 'denied'; why: string }>
  /** The policy is another than the one that was looked at: it is to be looked at anew. */
  | Readonly<{ kind: 'policy_changed' }>;

/** An approval as it is about to be made. */
export type Approval = Readonly<{
  principal: Principal;
  policy: PolicyInForce;
  question: Question;
  draft: Draft;
  /** The grant that is made with it, or not at all when it fails. */
  beside: GrantBeside | undefined;
}>;

/** What the error of an invocation begins with that a policy ended which came after the ask (S-A-22). */
const REVALIDATED_DENY = 'policy_revalidated_deny';

/**
 * Plans what waits anew, holds it against the policy of now, and offers it. `policy_changed`: it is to be done anew.
 * @throws {MusterError} conflict, expired, forbidden, suspended, too_many_open, and what planning throws
 */
export async function approveNow(
  deps: ApprovalDeps,
  principal: Principal,
  { row, beside }: ToApprove,
): Promise<InvocationRow | 'policy_changed'> {
  const { policies, presence, suspension, clock } = deps;
  suspension.refuse();
  const nowMs = clock.nowMs();
  const policy = await policies.current(row.org);
  const ask = CreateInvocation.parse(JSON.parse(row.ask ?? '{}'));
  const plan = planAgain(deps, { row, ask, policy });
  const release = takePlaces(deps, { plan, policy });
  try {
    const by = principal.id;
    const draft = draftApproved({ row, ask, plan, policy, by, isConnected: presence.isConnected, nowMs });
    const question = questionOf(plan, ask);
    const other = await commitApproval(deps, { principal, policy, question, draft, beside });
    if (other !== undefined) return other;
    dispatchDraft(deps, draft, plan);
    return draft.row;
  } finally {
    release();
  }
}

/**
 * Stores an approval if it still may be made; `also` is done in its transaction.
 * @throws {MusterError} conflict, expired, forbidden, unauthenticated (the token of whoever grants has ended)
 */
export async function commitApproval(
  { store, policies, events }: Pick<ApprovalDeps, 'store' | 'policies' | 'events'>,
  approval: Approval,
  also?: (tx: Tx) => Promise<void>,
): Promise<'policy_changed' | undefined> {
  const granted = approval.beside === undefined ? undefined : grantWith(approval, approval.beside);
  const other = await store.write(async (tx) => {
    const objection = await storeApproval(tx, policies, { ...approval, granted });
    if (objection === undefined) await also?.(tx);
    return objection;
  });
  if (other?.kind === 'policy_changed') return other.kind;
  if (other?.kind === 'refused') throw new MusterError(other.refusal.code, other.refusal.detail);
  if (other?.kind !== 'denied') return undefined;
  events.ended([approval.draft.row.id]);
  throw new MusterError('conflict', `The policy has changed since it was asked, and denies it: ${other.why}`);
}

/**
 * @throws {MusterError} forbidden: what is like it is looked at each time, and the ask itself goes on waiting; and what
 *   {@link grantAsReviewed} throws
 */
function grantWith({ policy, question }: Approval, beside: GrantBeside): GrantRow {
  if (isGrantable(policy.document, question)) return grantAsReviewed(beside, question);
  const why = question.risk === 'danger' ? 'is of risk danger' : 'touches a protected target';
  throw new MusterError('forbidden', `It ${why}, and is approved one at a time: approve it without a grant`);
}

/** @throws {MusterError} conflict: it would be something else by now */
function planAgain(
  { registry, defaultExpiresInMs }: ApprovalDeps,
  { row, ask, policy }: Readonly<{ row: InvocationRow; ask: CreateInvocation; policy: PolicyInForce }>,
): Plan {
  const plan = planInvocation(registry, { org: row.org, ask, policy: policy.document, defaultExpiresInMs });
  if (plan.digest === row.digest) return plan;
  throw new MusterError('conflict', 'Its nodes or a hook have changed since it was asked: ask again');
}

async function storeApproval(
  tx: Tx,
  policies: ApprovalDeps['policies'],
  approval: Approval & Readonly<{ granted: GrantRow | undefined }>,
): Promise<NotApproved | undefined> {
  const { principal, policy, question, draft, granted } = approval;
  const { row } = draft;
  if (!(await policies.isCurrent(tx, row.org, policy))) return { kind: 'policy_changed' };
  const unmade = granted === undefined ? undefined : await refusalOfGrant(tx, granted);
  if (unmade !== undefined) {
    return { kind: 'refused', refusal: { code: unmade.refused, detail: unmade.detail } };
  }
  const asker = await findAsker(tx, row);
  if (asker === undefined) return { kind: 'refused', refusal: { code: 'conflict', detail: askerGone(row) } };
  // With the token that came, or for a sandbox one that was made since.
  const askedBy = [row.created_by, ...readHolders(row.askers ?? '[]'), ...peopleBehind(asker)];
  const why = revalidate(policy.document, asker, question);
  if (why !== undefined) return denyByPolicy(tx, approval, why);
  const refusal =
    decideApproval(policy.document, principal, { matter: question, askedBy }) ??
    (await decideOnce(tx, {
      row,
      change: {
        ...{ status: row.status, approved_by: row.approved_by, approved_at: row.approved_at },
        ...{ expires_at: row.expires_at, total: row.total, batches_begun: row.batches_begun },
        ...{ risk: row.risk, ask: null },
      },
      nowMs: row.approved_at ?? 0,
      entry: { event: 'invocation_approved', actor: principal.id, details: { policy: policy.version } },
    }));
  if (refusal !== undefined) return { kind: 'refused', refusal };
  await insertDraft(tx, draft);
  if (granted !== undefined) await insertGrant(tx, granted);
  return undefined;
}

/** Ends what the policy of now would have denied or refused when it was asked for. */
async function denyByPolicy(tx: Tx, { policy, draft }: Approval, why: string): Promise<NotApproved> {
  const { row } = draft;
  const nowMs = row.approved_at ?? 0;
  const change = { status: 'denied', completed_at: nowMs, error: `${REVALIDATED_DENY}: ${why}`, ask: null };
  const details = { reason: REVALIDATED_DENY, policy: policy.version };
  const entry = { event: 'invocation_denied', actor: 'policy', details };
  const refusal = await decideOnce(tx, { row, change, nowMs, entry });
  return refusal === undefined ? { kind: 'denied', why } : { kind: 'refused', refusal };
}
