import { padded } from '../grouping.js';
import { newestMs } from '../invocations/overdue.js';
import type { Principal } from '../services.js';
import { appendAudit } from '../store/audit.js';
import type { Tx } from '../store/database.js';
import type { Store } from '../store/store.js';
import { tellGrant } from '../store/tell.js';

/**
 * A grant, those for a sandbox, those made with one of these tokens, those that somebody made, with any token or with one
 * that has ended, or those made too late.
 */
type Which = Readonly<
  | { id: string }
  | { sandbox: string }
  | { tokens: readonly string[] }
  | { maker: string; withEndedToken: boolean }
  | { madeAfterMs: number }
>;

/** Revokes grants, each with its audit row, and streams hear of it; what was revoked before stays as it is. */
export async function revokeGrants(
  tx: Tx,
  which: Which,
  { by: { org, id: actor }, nowMs }: { by: Pick<Principal, 'org' | 'id'>; nowMs: number },
): Promise<void> {
  if ('tokens' in which && which.tokens.length === 0) return;
  const open = tx
    .updateTable('grants')
    .set({ revoked_at: nowMs, revoked_by: actor })
    .where('org', '=', org)
    .where('revoked_at', 'is', null);
  const revoked = await open
    .where(({ eb, and }) => {
      const ended = eb('token', 'not in', selectGoodTokens(tx, { org, nowMs }));
      if ('id' in which) return eb('id', '=', which.id);
      if ('sandbox' in which) return eb('sandbox', '=', which.sandbox);
      if ('maker' in which) return and([eb('created_by', '=', which.maker), ...(which.withEndedToken ? [ended] : [])]);
      if ('tokens' in which) return eb('token', 'in', padded(which.tokens));
      return eb('created_at', '>', which.madeAfterMs);
    })
    .returning('id')
    .execute();
  await appendAudit(
    tx,
    revoked.map(({ id }) => ({ atMs: nowMs, org, actor, event: 'grant_revoked', subject: `grant:${id}` })),
  );
  for (const { id } of revoked) tellGrant(tx, { org, id, change: 'revoked', by: actor });
}

function selectGoodTokens(tx: Tx, { org, nowMs }: { org: string; nowMs: number }) {
  return tx
    .selectFrom('api_tokens')
    .select('id')
    .where('org', '=', org)
    .where(({ eb, or }) => or([eb('expires_at', 'is', null), eb('expires_at', '>', nowMs)]));
}

/**
 * Revokes what was made later than now, before the clock was set back: how old it is nobody knows, and it would be good
 * again when the clock comes there.
 */
export async function revokeFutureGrants(
  { read, write }: Pick<Store, 'read' | 'write'>,
  { org, nowMs }: Readonly<{ org: string; nowMs: number }>,
): Promise<void> {
  const madeAfterMs = newestMs(nowMs);
  const future = read.selectFrom('grants').select('id').where('org', '=', org).where('created_at', '>', madeAfterMs);
  const found = await future.where('revoked_at', 'is', null).limit(1).executeTakeFirst();
  if (found === undefined) return; // a sweep for nothing costs no write
  await write((tx) => revokeGrants(tx, { madeAfterMs }, { by: { org, id: 'controller' }, nowMs }));
}
