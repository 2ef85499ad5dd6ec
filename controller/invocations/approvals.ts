import { MusterError } from '../../protocol/errors.js';
import type { Logger } from '../../runtime/logger.js';
import type { InvocationEvents } from '../events/invocation-events.js';
import { CreateInvocation, type InvocationView, Role } from '../http/schemas.js';
import { findUser } from '../identity/users.js';
import { readCursor, toPage } from '../paging.js';
import { decideApproval, mayAsk } from '../policy/decide.js';
import type { InvocationService, Principal } from '../services.js';
import { appendAudit } from '../store/audit.js';
import type { Queries } from '../store/database.js';
import type { InvocationRow } from '../store/invocations.js';
import { countExecutions, noExecutions } from '../store/invocations.js';
import type { Store } from '../store/store.js';
import { type CreateDeps, dispatchDraft, refuseTooMany } from './create.js';
import { type Draft, draftApproved } from './draft.js';
import { planInvocation } from './plan.js';
import { insertDraft } from './store-draft.js';
import { toInvocationView } from './views.js';

export type ApprovalDeps = CreateDeps & Readonly<{ events: InvocationEvents }>;

/** Why nothing was changed: a value, since a failure inside a transaction would undo its neighbours. */
type Refusal = Readonly<{ code: 'conflict' | 'expired'; detail: string }>;

/**
 * What people say to asks that wait for them. An approval is for exactly what was shown: its digest is the caller's
 * word, and the ask is planned anew and has to come to the same (promise 19).
 */
export function createApprovals(deps: ApprovalDeps): Pick<InvocationService, 'approve' | 'deny' | 'pending'> {
  const { store, registry, presence, clock, events } = deps;
  return {
    async approve(principal, id, { digest }) {
      const row = await findRow(store, principal.org, id);
      if (row === undefined) return undefined;
      const nowMs = clock.nowMs();
      refuseUnlessPending(row, nowMs);
      if (digest !== row.digest) {
        throw new MusterError('conflict', 'The digest is not that of this invocation: look at it again');
      }
      const ask = CreateInvocation.parse(JSON.parse(row.ask ?? '{}'));
      const plan = planInvocation(registry, { org: row.org, ask, defaultExpiresInMs: deps.defaultExpiresInMs });
      if (plan.digest !== row.digest) {
        throw new MusterError('conflict', 'Its nodes or a hook have changed since it was asked: ask again');
      }
      const refusal = decideApproval(principal, plan.risk);
      if (refusal !== undefined) throw new MusterError(refusal.code, refusal.detail);
      refuseTooMany(deps, plan);
      const draft = draftApproved({ row, ask, plan, by: principal.id, isConnected: presence.isConnected, nowMs });
      throwRefusal(await store.write((tx) => storeApproval(tx, draft, principal)));
      dispatchDraft(deps, draft, plan);
      return read(store, draft.row);
    },
    async deny(principal, id, { reason }) {
      const row = await findRow(store, principal.org, id);
      if (row === undefined) return undefined;
      const nowMs = clock.nowMs();
      refuseUnlessPending(row, nowMs);
      const change = {
        ...{ status: 'denied', approved_by: principal.id, approved_at: nowMs, completed_at: nowMs },
        error: reason ?? `Denied by ${principal.id}`,
      };
      throwRefusal(await store.write((tx) => decideOnce(tx, { row, change, principal, event: 'invocation_denied' })));
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

/** Ends what nobody has approved in time; gives how many. */
export async function expirePending(
  { store, events, log }: { store: Store; events: InvocationEvents; log: Logger },
  { org, nowMs }: { org: string; nowMs: number },
): Promise<void> {
  const due = (queries: Queries) =>
    queries
      .selectFrom('invocations')
      .select('id')
      .where('org', '=', org)
      .where('status', '=', 'pending')
      .where('expires_at', '<=', nowMs)
      .execute();
  if ((await due(store.read)).length === 0) return;
  const ended = await store.write(async (tx) => {
    const ids = (await due(tx)).map(({ id }) => id);
    const change = { status: 'expired', completed_at: nowMs, error: 'Nobody approved it in time' };
    await tx.updateTable('invocations').set(change).where('id', 'in', ids).execute();
    await appendAudit(
      tx,
      ids.map((id) => ({
        atMs: nowMs,
        org,
        actor: 'controller',
        event: 'approval_expired',
        subject: `invocation:${id}`,
      })),
    );
    return ids;
  });
  log.info({ count: ended.length }, 'approvals expired');
  events.ended(ended);
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

async function storeApproval(tx: Queries, draft: Draft, principal: Principal): Promise<Refusal | undefined> {
  const { status, approved_by, approved_at, expires_at, total, batches_begun } = draft.row;
  const change = { status, approved_by, approved_at, expires_at, total, batches_begun, ask: null };
  const refusal =
    (await refusalOfAsker(tx, draft.row)) ??
    (await decideOnce(tx, { row: draft.row, change, principal, event: 'invocation_approved' }));
  if (refusal === undefined) await insertDraft(tx, draft);
  return refusal;
}

/** What somebody asked for who may not ask any more is nobody's wish. */
async function refusalOfAsker(tx: Queries, { org, created_by }: InvocationRow): Promise<Refusal | undefined> {
  const asker = await findUser(tx, org, created_by);
  if (asker !== undefined && asker.disabled_at === null && mayAsk(Role.parse(asker.role))) return undefined;
  return { code: 'conflict', detail: `${created_by}, who asked for it, may not ask for actions any more` };
}

/** Of all that is said at once the first counts: the change is made only while it waits. */
async function decideOnce(
  tx: Queries,
  {
    row: { id, org, digest },
    change,
    principal,
    event,
  }: {
    row: InvocationRow;
    change: Partial<InvocationRow> & { approved_at: number | null };
    principal: Principal;
    event: string;
  },
): Promise<Refusal | undefined> {
  const nowMs = change.approved_at ?? 0;
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
  await appendAudit(tx, [{ atMs: nowMs, org, actor: principal.id, event, subject, details: { digest } }]);
  return undefined;
}

function throwRefusal(refusal: Refusal | undefined): void {
  if (refusal !== undefined) throw new MusterError(refusal.code, refusal.detail);
}

async function read(store: Store, row: InvocationRow): Promise<InvocationView> {
  const counts = await countExecutions(store.read, [row.id]);
  return toInvocationView(row, counts.get(row.id) ?? noExecutions());
}
