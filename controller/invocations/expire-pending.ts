import type { Logger } from '../../runtime/logger.js';
import type { InvocationEvents } from '../events/invocation-events.js';
import { appendAudit } from '../store/audit.js';
import type { Queries, Tx } from '../store/database.js';
import type { Store } from '../store/store.js';
import { TOLD_INVOCATION, tellInvocation } from '../store/tell.js';
import { newestMs } from './overdue.js';

/** So many expire in one transaction: all of a day may be due after a stop. */
const EXPIRED_PER_WRITE = 1_000;

export type ExpiryDeps = Readonly<{ store: Store; events: InvocationEvents; log: Logger }>;

/** Ends what nobody has approved in time. */
export async function expirePending(
  { store, events, log }: ExpiryDeps,
  due: Readonly<{ org: string; nowMs: number }>,
): Promise<void> {
  for (;;) {
    if ((await findOverdue(store.read, due)).length === 0) return; // a sweep for nothing costs no write
    const ended = await store.write((tx) => expireOverdue(tx, due));
    log.info({ count: ended.length }, 'approvals expired');
    events.ended(ended);
  }
}

/** The ids of asks that nobody has approved in time; some of them when there are many. */
export async function findOverdue(queries: Queries, { org, nowMs }: { org: string; nowMs: number }): Promise<string[]> {
  const rows = await queries
    .selectFrom('invocations')
    .select('id')
    .where('org', '=', org)
    .where('status', '=', 'pending')
    .where(({ eb, or }) => or([eb('expires_at', '<=', nowMs), eb('created_at', '>', newestMs(nowMs))]))
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
