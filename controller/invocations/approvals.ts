import { MusterError } from '../../protocol/errors.js';
import { UUID_PATTERN } from '../../protocol/ids.js';
import { grantBeside } from '../grants/make.js';
import type { InvocationView } from '../http/schemas.js';
import { reaches } from '../identity/roles.js';
import { readCursor, toPage } from '../paging.js';
import type { InvocationService } from '../services.js';
import type { InvocationRow } from '../store/invocations.js';
import { countExecutions, noExecutions } from '../store/invocations.js';
import type { Store } from '../store/store.js';
import { type ApprovalDeps, approveNow } from './approve.js';
import { decideOnce, refuseUnlessPending, throwRefusal } from './decide-once.js';
import { expirePending } from './expire-pending.js';
import { readFittingRows } from './fitting-rows.js';
import { isOverdue, newestMs } from './overdue.js';
import { toInvocationView } from './views.js';

/**
 * What people say to asks that wait for them. An approval is for exactly what was shown: its digest is the caller's
 * word, and the ask is planned anew and has to come to the same (promise 19).
 */
export function createApprovals(deps: ApprovalDeps): Pick<InvocationService, 'approve' | 'deny' | 'pending'> {
  const { store, clock, events } = deps;
  return {
    async approve(principal, id, { digest, grant }) {
      if (!reaches(principal.role, 'admin')) throw new MusterError('forbidden', 'Admins and owners approve');
      for (;;) {
        const row = await findWaiting(deps, principal.org, id);
        if (row === undefined) return undefined;
        if (digest !== row.digest) {
          throw new MusterError('conflict', 'The digest is not that of this invocation: look at it again');
        }
        const beside = grant === undefined ? undefined : grantBeside(principal, row, { grant, nowMs: clock.nowMs() });
        const asked = { row, beside };
        const done =
          row.integration === null
            ? await approveNow(deps, principal, asked)
            : await deps.approveAction(principal, asked);
        if (done !== 'policy_changed') return read(store, done);
      }
    },
    async deny(principal, id, { reason }) {
      if (!reaches(principal.role, 'admin')) throw new MusterError('forbidden', 'Admins and owners deny');
      const row = await findWaiting(deps, principal.org, id);
      if (row === undefined) return undefined;
      const nowMs = clock.nowMs();
      const change = {
        ...{ status: 'denied', approved_by: principal.id, approved_at: nowMs, completed_at: nowMs },
        ...{ error: reason ?? `Denied by ${principal.id}`, ask: null },
      };
      const details = reason === undefined ? {} : { reason };
      const entry = { event: 'invocation_denied', actor: principal.id, details };
      throwRefusal(await store.write((tx) => decideOnce(tx, { row, change, nowMs, entry })));
      events.ended([id]);
      return read(store, { ...row, ...change });
    },
    async pending(org, { limit, cursor }) {
      const nowMs = clock.nowMs();
      const after = readCursor(cursor, UUID_PATTERN) ?? '';
      const { rows, shown } = await readFittingRows(limit, (last, count) =>
        store.read
          .selectFrom('invocations')
          .selectAll()
          .where('org', '=', org)
          .where('status', '=', 'pending')
          .where('expires_at', '>', nowMs)
          .where('created_at', '<=', newestMs(nowMs))
          .where('id', '>', last?.id ?? after)
          .orderBy('id')
          .limit(count)
          .execute(),
      );
      const toItem = (row: InvocationRow) => toInvocationView(row, noExecutions());
      return toPage(rows, { limit: shown, keyOf: ({ id }) => id, toItem });
    },
  };
}

/**
 * What somebody wants to decide about. What is past its time is ended first, as the sweep would (S-A-16).
 * @throws {MusterError} conflict, expired
 */
async function findWaiting(deps: ApprovalDeps, org: string, id: string): Promise<InvocationRow | undefined> {
  const row = await deps.store.read
    .selectFrom('invocations')
    .selectAll()
    .where('id', '=', id)
    .where('org', '=', org)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const nowMs = deps.clock.nowMs();
  if (row.status === 'pending' && isOverdue(row, nowMs)) await expirePending(deps, { org, nowMs });
  refuseUnlessPending(row, nowMs);
  return row;
}

async function read(store: Store, row: InvocationRow): Promise<InvocationView> {
  const counts = await countExecutions(store.read, [row.id]);
  return toInvocationView(row, counts.get(row.id) ?? noExecutions());
}
