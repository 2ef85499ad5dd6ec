import { setImmediate, setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { fullJitterMs } from '../../runtime/backoff.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import { decodeRow } from '../events/decode.js';
import type { ControllerMetrics } from '../metrics.js';
import type { FeedEvent } from '../services.js';
import { readEvents } from '../store/events.js';
import type { Store } from '../store/store.js';
import { ensureWebhookPosition, moveWebhookPosition } from '../store/webhooks.js';
import type { Post } from './post.js';
import type { Webhook, WebhookEvent } from './webhooks-file.js';

export type DeliveryDeps = Readonly<{
  store: Store;
  metrics: Pick<ControllerMetrics, 'webhook'>;
  clock: Clock;
  log: Logger;
  random: () => number;
  org: string;
}>;

const BACKOFF = { baseMs: 1_000, capMs: 300_000 } as const;
/** A receiver that has taken nothing of a message for so long does not get it any more. */
const GIVE_UP_MS = 24 * 3_600_000;
/** Without news it is looked at this often whether there are some: another controller may have written them. */
const LOOK_MS = 1_000;
/** Events that are none of its business are noted as passed this often. */
const NOTE_MS = 60_000;

/**
 * Tells one webhook of events, one after the other in their order, each until it is taken. How far it has come is in
 * the store: after a crash it goes on with what it may have told of already. Returns the function that ends it.
 */
export function startDeliveries(
  deps: DeliveryDeps,
  webhook: Pick<Webhook, 'name' | 'events'>,
  post: Post,
): () => Promise<void> {
  const { store, log } = deps;
  const ending = new AbortController();
  let wake = (): void => {};
  const stopListening = store.onEvents(() => wake());

  async function pause(ms: number): Promise<void> {
    const waking = new AbortController();
    wake = () => waking.abort();
    await wait(ms, undefined, { signal: AbortSignal.any([ending.signal, waking.signal]) }).catch(() => undefined);
  }

  async function run(): Promise<void> {
    while (!ending.signal.aborted) {
      try {
        await follow(deps, { webhook, post, ending: ending.signal, pause });
      } catch (err) {
        log.warn({ err, webhook: webhook.name }, 'events not passed on, tried again');
        await pause(LOOK_MS);
      }
    }
  }

  const running = run();
  return async () => {
    ending.abort();
    stopListening();
    await running;
  };
}

type Way = Readonly<{
  webhook: Pick<Webhook, 'name' | 'events'>;
  post: Post;
  ending: AbortSignal;
  /** Until there is news, at most so long. */
  pause: (ms: number) => Promise<void>;
}>;

/** From where the store says that it stands, until it is ended. @throws {MusterError} storage_failed */
async function follow(deps: DeliveryDeps, way: Way): Promise<void> {
  const { store, metrics, clock, log, org } = deps;
  const { name, events } = way.webhook;
  let position = await store.write((tx) => ensureWebhookPosition(tx, name));
  let noted = position;
  let notedMs = clock.monotonicMs();
  const note = async (): Promise<void> => {
    if (position > noted) await store.write((tx) => moveWebhookPosition(tx, name, position), { lazy: true });
    noted = position;
    notedMs = clock.monotonicMs();
  };

  while (!way.ending.aborted) {
    const rows = await readEvents(store.read, position);
    for (const row of rows) {
      if (row.firstId > position + 1) {
        log.error({ webhook: name, after: position }, 'events are no longer held, and are not passed on');
        metrics.webhook('lost');
      }
      for (const event of decodeRow(row, position)) {
        const kind = event.org === org ? kindOf(event) : undefined;
        if (kind !== undefined && events.includes(kind)) {
          if (!(await deliver(deps, way, { event, kind }))) return note();
          position = event.id;
          await note();
        }
        position = event.id;
      }
      await setImmediate(); // the store answers without leaving the event loop: others get a turn
    }
    if (clock.monotonicMs() - notedMs >= NOTE_MS) await note();
    if (rows.length === 0) await way.pause(LOOK_MS);
  }
  await note();
}

/** False when it was ended before the message was taken. */
async function deliver(
  { metrics, clock, log, random }: DeliveryDeps,
  { webhook: { name: webhook }, post, ending }: Way,
  { event, kind }: { event: FeedEvent; kind: WebhookEvent },
): Promise<boolean> {
  const sinceMs = clock.monotonicMs();
  for (let failures = 0; !ending.aborted; failures += 1) {
    const posted = await post({ id: event.id, event: kind, body: event.text, nowMs: clock.nowMs() }, ending);
    if (ending.aborted && posted.kind !== 'delivered') return false;
    metrics.webhook(posted.kind);
    if (posted.kind === 'delivered') return true;
    log.warn({ webhook, event: event.id, why: posted.why, failures }, 'webhook not told, tried again');
    if (clock.monotonicMs() - sinceMs >= GIVE_UP_MS) {
      log.error({ webhook, event: event.id }, 'webhook given up on for this event');
      metrics.webhook('lost');
      return true;
    }
    const pauseMs = fullJitterMs(failures, { ...BACKOFF, random });
    await wait(pauseMs, undefined, { signal: ending }).catch(() => undefined);
  }
  return false;
}

const NodeWent = z.object({ change: z.literal('offline') });

/** What the event is to webhooks; undefined when it is nothing to them. */
function kindOf({ type, text }: FeedEvent): WebhookEvent | undefined {
  if (type === 'action_approval_request' || type === 'action_completed') return type;
  return type === 'node' && NodeWent.safeParse(JSON.parse(text)).success ? 'node_offline' : undefined;
}
