import { padded } from '../grouping.js';
import type { Principal } from '../services.js';
import { appendAudit } from '../store/audit.js';
import type { Queries } from '../store/database.js';

/** A grant, those for a sandbox, those made with one of these tokens, or those that somebody made. */
type Which = Readonly<{ id: string } | { sandbox: string } | { tokens: readonly string[] } | { maker: string }>;

/** Revokes grants, each with its audit row; what was revoked before stays as it is. */
export async function revokeGrants(
  tx: Queries,
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
    .where(({ eb }) => {
      if ('id' in which) return eb('id', '=', which.id);
      if ('sandbox' in which) return eb('sandbox', '=', which.sandbox);
      return 'maker' in which ? eb('created_by', '=', which.maker) : eb('token', 'in', padded(which.tokens));
    })
    .returning('id')
    .execute();
  await appendAudit(
    tx,
    revoked.map(({ id }) => ({ atMs: nowMs, org, actor, event: 'grant_revoked', subject: `grant:${id}` })),
  );
}
