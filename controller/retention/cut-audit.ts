import { AUDIT_CUT, appendAudit } from '../store/audit.js';
import type { Store } from '../store/store.js';

const ROWS_PER_WRITE = 2_000;

/**
 * Lets go of the oldest rows of the audit trail, up to the first that is as young as `cutoffMs`. A row at its end says
 * which was the last to go and what its hash was, so that the rest stays verifiable. Gives how many went.
 */
export async function cutAudit(
  store: Store,
  { org, cutoffMs, nowMs }: { org: string; cutoffMs: number; nowMs: number },
): Promise<number> {
  let cut = 0;
  for (;;) {
    const old = await store.read
      .selectFrom('audit')
      .select(['seq', 'hash', 'at'])
      .orderBy('seq')
      .limit(ROWS_PER_WRITE + 1) // one more: the trail is never empty
      .execute();
    const young = old.findIndex(({ at }) => at >= cutoffMs);
    const going = old.slice(0, young === -1 ? old.length - 1 : young);
    const last = going.at(-1);
    if (last === undefined) return cut;
    await store.write(async (tx) => {
      const { numDeletedRows } = await tx.deleteFrom('audit').where('seq', '<=', last.seq).executeTakeFirst();
      const details = { through: last.seq, hash: last.hash, rows: Number(numDeletedRows) };
      await appendAudit(tx, [{ atMs: nowMs, org, actor: 'controller', event: AUDIT_CUT, subject: 'audit', details }]);
    });
    cut += going.length;
    if (young !== -1) return cut;
  }
}
