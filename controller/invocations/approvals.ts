import { MusterError } from '../../protocol/errors.js';
import type { Logger } from '../../runtime/logger.js';
import type { InvocationEvents } from '../events/invocation-events.js';
import { Role } from '../http/people-schemas.js';
import { CreateInvocation, type InvocationView } from '../http/schemas.js';
import { reaches } from '../identity/roles.js';
import { findUser } from '../identity/users.js';
import { readCursor, toPage } from '../paging.js';
import { mayAsk } from '../policy/access.js';
import { decideApproval, type Question, revalidate } from '../policy/decide.js';
import type { PolicyInForce } from '../policy/policies.js';
import type { InvocationService, Principal } from '../services.js';
import { appendAudit } from '../store/audit.js';
import type { Queries, Tx } from '../store/database.js';
import type { InvocationRow } from '../store/invocations.js';
import { countExecutions, noExecutions } from '../store/invocations.js';
import type { Store } from '../store/store.js';
import { TOLD_INVOCATION, tellApprovalResult, tellInvocation, tellInvocations } from '../store/tell.js';
import { type CreateDeps, dispatchDraft, takePlaces } from './create.js';
import { type Draft, draftApproved } from './draft.js';
import { type Plan, planInvocation, questionOf } from './plan.js';
import { insertDraft } from './store-draft.js';
import { toInvocationView } from './views.js';

export type ApprovalDeps = CreateDeps & Readonly<{ events: InvocationEvents }>;

/** Why nothing was changed: a value, since a failure inside a transaction would undo its neighbours. */
type Refusal = Readonly<{ code: 'conflict' | 'expired' | 'forbidden'; detail: string }>;

/** What came of an approval, when it was not done. */
type NotApproved =
  | Readonly<{ kind: 'refused'; refusal: Refusal }>
  /** The policy of now would not have let it wait: it is denied. */
  | Readonly<{ kind: 'denied'; why: string }>
  /** The policy is another than the one that was looked at: it is to be looked at anew. */
  | Readonly<{ kind: 'policy_changed' }>;

/** An approval as it is about to be made. */
type Approval = Readonly<{ principal: Principal; policy: PolicyInForce; question: Question; draft: Draft }>;

/** What the error of an invocation begins with that a policy ended which came after the ask (S-A-22). */
const REVALIDATED_DENY = 'policy_revalidated_deny';

/** So many expire in one transaction: all of a day may be due after a stop. */
const EXPIRED_PER_WRITE = 1_000;

/**
 * What people say to asks that wait for them. An approval is for exactly what was shown: its digest is the caller's
 * word, and the ask is planned anew and has to come to the same (promise 19).
 */
export function createApprovals(deps: ApprovalDeps): Pick<InvocationService, 'approve' | 'deny' | 'pending'> {
  const { store, clock, events } = deps;
  return {
    async approve(principal, id, { digest }) {
      if (!reaches(principal.role, 'admin')) throw new MusterError('forbidden', 'Admins and owners approve');
      for (;;) {
        const row = await findRow(store, principal.org, id);
        if (row === undefined) return undefined;
        refuseUnlessPending(row, clock.nowMs());
        if (digest !== row.digest) {
          throw new MusterError('conflict', 'The digest is not that of this invocation: look at it again');
        }
        const done = await approveNow(deps, principal, row);
        if (done !== 'policy_changed') return read(store, done);
      }
    },
    async deny(principal, id, { reason }) {
      const row = await findRow(store, principal.org, id);
      if (row === undefined) return undefined;
      const nowMs = clock.nowMs();
      refuseUnlessPending(row, nowMs);
      const change = {
        ...{ status: 'denied', approved_by: principal.id, approved_at: nowMs, completed_at: nowMs },
        ...{ error: reason ?? `Denied by ${principal.id}`, ask: null },
      };
      const entry = { event: 'invocation_denied', actor: principal.id };
      throwRefusal(await store.write((tx) => decideOnce(tx, { row, change, nowMs, entry })));
      events.ended([id]);
      return read(store, { ...row, ...change });
    },
    async pending(org, { limit, cursor }) {
      const rows = await store.read
        .selectFrom('invocations')
        .selectAll()
        .where('org', '=', org)
        .where('status', '=', 'pending')
        .where('expires_at', '>', clock.nowMs())
        .where('id', '>', readCursor(cursor) ?? '')
        .orderBy('id')
        .limit(limit + 1)
        .execute();
      return toPage(rows, { limit, keyOf: ({ id }) => id, toItem: (row) => toInvocationView(row, noExecutions()) });
    },
  };
}

/** Ends what nobody has approved in time. */
export async function expirePending(
  { store, events, log }: { store: Store; events: InvocationEvents; log: Logger },
  due: Readonly<{ org: string; nowMs: number }>,
): Promise<void> {
  for (;;) {
    if ((await findOverdue(store.read, due)).length === 0) return; // a sweep for nothing costs no write
    const ended = await store.write((tx) => expireOverdue(tx, due));
    log.info({ count: ended.length }, 'approvals expired');
    events.ended(ended);
  }
}

async function findOverdue(queries: Queries, { org, nowMs }: { org: string; nowMs: number }): Promise<string[]> {
  const rows = await queries
    .selectFrom('invocations')
    .select('id')
    .where('org', '=', org)
    .where('status', '=', 'pending')
    .where('expires_at', '<=', nowMs)
    .limit(EXPIRED_PER_WRITE)
    .execute();
  return rows.map(({ id }) => id);
}

async function expireOverdue(tx: Tx, { org, nowMs }: { org: string; nowMs: number }): Promise<string[]> {
  const ids = await findOverdue(tx, { org, nowMs });
  if (ids.length === 0) return []; // decided or taken back since the look
  const change = { status: 'expired', completed_at: nowMs, error: 'Nobody approved it in time', ask: null };
  const expired = await tx
    .updateTable('invocations')
    .set(change)
    .where('id', 'in', ids)
    .where('status', '=', 'pending')
    .returning(TOLD_INVOCATION)
    .execute();
  for (const row of expired) tellInvocation(tx, row);
  const entry = { atMs: nowMs, org, actor: 'controller', event: 'approval_expired' };
  await appendAudit(
    tx,
    expired.map(({ id }) => ({ ...entry, subject: `invocation:${id}` })),
  );
  return expired.map(({ id }) => id);
}

function findRow(store: Store, org: string, id: string): Promise<InvocationRow | undefined> {
  return store.read
    .selectFrom('invocations')
    .selectAll()
    .where('id', '=', id)
    .where('org', '=', org)
    .executeTakeFirst();
}

/** @throws {MusterError} conflict, expired */
function refuseUnlessPending(row: InvocationRow, nowMs: number): void {
  throwRefusal(refusalOf(row, nowMs));
}

function refusalOf({ status, expires_at }: Pick<InvocationRow, 'status' | 'expires_at'>, nowMs: number) {
  if (status === 'expired' || (status === 'pending' && expires_at <= nowMs)) {
    return { code: 'expired', detail: 'The time to approve it is over: ask again' } as const;
  }
  return status === 'pending'
    ? undefined
    : ({ code: 'conflict', detail: `It does not wait any more: it is ${status}` } as const);
}

/**
 * Plans what waits anew, holds it against the policy of now, and offers it.
 * @throws {MusterError} conflict, expired, forbidden, too_many_open, and what planning throws
 */
async function approveNow(
  deps: ApprovalDeps,
  principal: Principal,
  row: InvocationRow,
): Promise<InvocationRow | 'policy_changed'> {
  const { store, policies, presence, clock, events } = deps;
  const nowMs = clock.nowMs();
  const policy = await policies.current(row.org);
  const ask = CreateInvocation.parse(JSON.parse(row.ask ?? '{}'));
  const plan = planAgain(deps, { row, ask, policy });
  const release = takePlaces(deps, { plan, policy });
  try {
    const by = principal.id;
    const draft = draftApproved({ row, ask, plan, policy, by, isConnected: presence.isConnected, nowMs });
    const approval = { principal, policy, question: questionOf(plan, ask), draft };
    const other = await store.write((tx) => storeApproval(tx, deps.policies, approval));
    if (other?.kind === 'policy_changed') return other.kind;
    if (other?.kind === 'refused') throw new MusterError(other.refusal.code, other.refusal.detail);
    if (other?.kind === 'denied') {
      events.ended([row.id]);
      throw new MusterError('conflict', `The policy has changed since it was asked, and denies it: ${other.why}`);
    }
    dispatchDraft(deps, draft, plan);
    return draft.row;
  } finally {
    release();
  }
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
  approval: Approval,
): Promise<NotApproved | undefined> {
  const { principal, policy, question, draft } = approval;
  const { row } = draft;
  if (!(await policies.isCurrent(tx, row.org, policy))) return { kind: 'policy_changed' };
  const asker = await findAsker(tx, row);
  if ('code' in asker) return { kind: 'refused', refusal: asker };
  const why = revalidate(policy.document, asker, question);
  if (why !== undefined) return denyByPolicy(tx, approval, why);
  const refusal =
    decideApproval(policy.document, principal, { matter: question, askedBy: row.created_by }) ??
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

/** Who asked for it, as they are now: what somebody asked for who may not ask any more is nobody's wish. */
async function findAsker(tx: Tx, { org, created_by: id }: InvocationRow): Promise<Principal | Refusal> {
  const user = await findUser(tx, org, id);
  const role = user === undefined || user.disabled_at !== null ? undefined : Role.parse(user.role);
  if (role !== undefined && mayAsk(role)) return { id, org, role };
  return { code: 'conflict', detail: `${id}, who asked for it, may not ask for actions any more` };
}

/** Of all that is said at once the first counts: the change is made only while it waits. */
async function decideOnce(
  tx: Tx,
  {
    row: { id, org, digest },
    change,
    nowMs,
    entry: { event, actor, details },
  }: {
    row: InvocationRow;
    change: Partial<InvocationRow>;
    nowMs: number;
    entry: Readonly<{ event: string; actor: string; details?: Readonly<Record<string, string | number>> }>;
  },
): Promise<Refusal | undefined> {
  const { numUpdatedRows } = await tx
    .updateTable('invocations')
    .set(change)
    .where('id', '=', id)
    .where('status', '=', 'pending')
    .where('expires_at', '>', nowMs)
    .executeTakeFirst();
  if (Number(numUpdatedRows) === 0) {
    const now = await tx.selectFrom('invocations').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
    return refusalOf(now, nowMs) ?? { code: 'conflict', detail: 'It has changed meanwhile' };
  }
  const subject = `invocation:${id}`;
  await appendAudit(tx, [{ atMs: nowMs, org, actor, event, subject, details: { digest, ...details } }]);
  tellApprovalResult(tx, { org, id, status: event === 'invocation_approved' ? 'approved' : 'denied', by: actor });
  await tellInvocations(tx, [id]);
  return undefined;
}

function throwRefusal(refusal: Refusal | undefined): void {
  if (refusal !== undefined) throw new MusterError(refusal.code, refusal.detail);
}

async function read(store: Store, row: InvocationRow): Promise<InvocationView> {
  const counts = await countExecutions(store.read, [row.id]);
  return toInvocationView(row, counts.get(row.id) ?? noExecutions());
}
