import { appendAudit } from './audit.js';
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

/** Keeps an event that a webhook refused, and goes on behind it. */
export async function setWebhookEventAside(tx: Queries, name: string, eventId: number): Promise<void> {
  await tx
    .insertInto('webhooks_set_aside')
    .values({ name, event_id: eventId })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  await moveWebhookPosition(tx, name, eventId);
}

/** Forgets an event that a webhook has taken by now, or is never told of. */
export async function dropWebhookEvent(tx: Queries, name: string, eventId: number): Promise<void> {
  await tx.deleteFrom('webhooks_set_aside').where('name', '=', name).where('event_id', '=', eventId).execute();
}

/** Why a webhook is never told of events. */
export type WebhookLoss = 'too_many_set_aside' | 'not_taken_for_a_day' | 'no_longer_held';

/** Writes down that a webhook is never told of these events; `to` is the last of them, when they are more than one. */
export async function auditWebhookLoss(
  tx: Queries,
  {
    name,
    org,
    nowMs,
    ...lost
  }: Readonly<{ name: string; org: string; nowMs: number; why: WebhookLoss; from: number; to?: number }>,
): Promise<void> {
  const { why, from, to } = lost;
  const details = { why, event: from, ...(to === undefined || to === from ? {} : { to }) };
  const about = { actor: 'controller', event: 'webhook_events_lost', subject: `webhook:${name}` };
  await appendAudit(tx, [{ ...about, atMs: nowMs, org, details }]);
}

/** Ids of the events that wait aside, oldest first. */
export async function findWebhookEventsAside(read: Queries, name: string): Promise<number[]> {
  const rows = await read
    .selectFrom('webhooks_set_aside')
    .select('event_id')
    .where('name', '=', name)
    .orderBy('event_id')
    .execute();
  return rows.map(({ event_id }) => Number(event_id));
}
