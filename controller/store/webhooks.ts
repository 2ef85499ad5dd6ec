import type { Queries } from './database.js';
import { findEventHead } from './events.js';

/** The event that a webhook was told of last; for one that is new the newest there is, so that it begins with the next. */
export async function ensureWebhookPosition(tx: Queries, name: string): Promise<number> {
  const row = await tx
    .selectFrom('webhook_positions')
    .select('last_event_id')
    .where('name', '=', name)
    .executeTakeFirst();
  if (row !== undefined) return Number(row.last_event_id);
  const last_event_id = await findEventHead(tx);
  await tx.insertInto('webhook_positions').values({ name, last_event_id }).execute();
  return last_event_id;
}

/** Notes how far a webhook has come; it never goes back. */
export async function moveWebhookPosition(tx: Queries, name: string, lastEventId: number): Promise<void> {
  await tx
    .updateTable('webhook_positions')
    .set({ last_event_id: lastEventId })
    .where('name', '=', name)
    .where('last_event_id', '<', lastEventId)
    .execute();
}
