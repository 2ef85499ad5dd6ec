import type { Queries } from '../store/database.js';

/**
 * Forgets grants that were revoked, ran out or were used up before this moment; the audit trail keeps who made and who
 * used them. Again does nothing more.
 */
export async function deleteEndedGrants(tx: Queries, endedBeforeMs: number): Promise<void> {
  await tx
    .deleteFrom('grants')
    .where(({ eb, or, and }) =>
      or([
        eb('revoked_at', '<', endedBeforeMs),
        eb('expires_at', '<', endedBeforeMs),
        and([eb('used', '>=', eb.ref('max_calls')), eb('last_used_at', '<', endedBeforeMs)]),
      ]),
    )
    .execute();
}
