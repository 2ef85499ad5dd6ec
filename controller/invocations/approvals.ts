import { MusterError } from '../../protocol/errors.js';
import { UUID_PATTERN } from '../../protocol/ids.js';
import type { InvocationView } from '../http/schemas.js';
import { reaches } from '../identity/roles.js';
import { readCursor, toPage } from '../paging.js';
import type { InvocationService } from '../services.js';
import type { InvocationRow } from '../store/invocations.js';
import { countExecutions, noExecutions } from '../store/invocations.js';
import type { Store } from '../store/store.js';
import { type ApprovalDeps, approveNow } from './approve.js';
import { decideOnce, refuseUnlessPending, throwRefusal } from './decide-once.js';
import { toInvocationView } from './views.js';

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
        .where('id', '>', readCursor(cursor, UUID_PATTERN) ?? '')
        .orderBy('id')
        .limit(limit + 1)
        .execute();
      return toPage(rows, { limit, keyOf: ({ id }) => id, toItem: (row) => toInvocationView(row, noExecutions()) });
    },
  };
}

function findRow(store: Store, org: string, id: string): Promise<InvocationRow | undefined> {
  return store.read
    .selectFrom('invocations')
    .selectAll()
    .where('id', '=', id)
    .where('org', '=', org)
    .executeTakeFirst();
}

async function read(store: Store, row: InvocationRow): Promise<InvocationView> {
  const counts = await countExecutions(store.read, [row.id]);
  return toInvocationView(row, counts.get(row.id) ?? noExecutions());
}
