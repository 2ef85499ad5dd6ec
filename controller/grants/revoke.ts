import type { Principal } from '../services.js';
import { appendAudit } from '../store/audit.js';
import type { Queries } from '../store/database.js';

/** Revokes a grant, or those that are for a sandbox, each with its audit row; what was revoked before stays as it is. */
export async function revokeGrants(
  tx: Queries,
  which: Readonly<{ id: string } | { sandbox: string }>,
  { by: { org, id: actor }, nowMs }: { by: Pick<Principal, 'org' | 'id'>; nowMs: number },
): Promise<void> {
  const open = tx
    .updateTable('grants')
    .set({ revoked_at: nowMs, revoked_by: actor })
    .where('org', '=', org)
    .where('revoked_at', 'is', null);
  const meant = 'id' in which ? open.where('id', '=', which.id) : open.where('sandbox', '=', which.sandbox);
  const revoked = await meant.returning('id').execute();
  await appendAudit(
    tx,
    revoked.map(({ id }) => ({ atMs: nowMs, org, actor, event: 'grant_revoked', subject: `grant:${id}` })),
  );
}
