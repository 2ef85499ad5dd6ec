import { setImmediate, setTimeout as wait } from 'node:timers/promises';
import { fullJitterMs } from '../../runtime/backoff.js';
import { decodeRow } from '../events/decode.js';
import type { FeedEvent } from '../services.js';
import { readEvents } from '../store/events.js';
import { auditWebhookLoss, ensureWebhookPosition, moveWebhookPosition } from '../store/webhooks.js';
import type { Post } from './post.js';
import { openSetAside, retryAside, type SetAside } from './set-aside.js';
import { BACKOFF, createTell, type DeliveryDeps, kindOf, type Tell } from './tell.js';
import type { Webhook, WebhookEvent } from './webhooks-file.js';

/** A receiver that is there and refuses a message so often gets the next ones first. */
const TRIES_IN_ORDER = 3;
/** Whatever the reason, no message holds up the next ones for longer. */
export const HOLD_MS = 600_000;
/** Without news it is looked at this often whether there are some: another controller may have written them. */
const LOOK_MS = 1_000;
/** Events that are none of its business are noted as passed this often. */
const NOTE_MS = 60_000;

/**
 * Tells one webhook of events, one after the other in their order, each until it is taken or set aside, from where it
 * is told again. How far it has come is in the store: after a crash it goes on with what it may have told of already.
 * Returns the function that ends it.
 */
export function startDeliveries(
  deps: DeliveryDeps,
  webhook: Pick<Webhook, 'name' | 'events'>,
  post: Post,
): () => Promise<void> {
  const { store, log } = deps;
  const ending = new AbortController();
  const tell = createTell(deps, { webhook, post, ending: ending.signal });
  let aside: SetAside | undefined;
  let retrying: Promise<void> | undefined;
  let wake = (): void => {};
  const stopListening = store.onEvents(() => wake());

  async function pause(ms: number): Promise<void> {
    if (ending.signal.aborted) return;
    const waking = new AbortController();
    wake = () => waking.abort();
    await wait(ms, undefined, { signal: waking.signal }).catch(() => undefined);
  }

  async function run(): Promise<void> {
    while (!ending.signal.aborted) {
      try {
        aside ??= await openSetAside(deps, { name: webhook.name, tell });
        retrying ??= retryAside(deps, { name: webhook.name, aside, ending: ending.signal });
        await follow(deps, { webhook, tell, aside, ending: ending.signal, pause });
      } catch (err) {
        log.warn({ err, webhook: webhook.name }, 'events not passed on, tried again');
        await pause(LOOK_MS);
      }
    }
  }

  const running = run();
  return async () => {
    ending.abort();
    wake();
    stopListening();
    await running;
    await retrying;
  };
}

type Way = Readonly<{
  webhook: Pick<Webhook, 'name' | 'events'>;
  tell: Tell;
  aside: SetAside;
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
        const lost = { from: position + 1, to: row.firstId - 1 };
        await store.write(async (tx) => {
          await moveWebhookPosition(tx, name, lost.to);
          await auditWebhookLoss(tx, { name, org, nowMs: clock.nowMs(), why: 'no_longer_held', ...lost });
        });
        log.error({ webhook: name, ...lost }, 'events are no longer held, and are not passed on');
        metrics.webhook('lost');
      }
      for (const event of decodeRow(row, position)) {
        const kind = event.org === org ? kindOf(event) : undefined;
        if (kind !== undefined && events.includes(kind)) {
          const outcome = await deliver(deps, way, { event, kind });
          if (outcome === 'ended') return note();
          if (outcome === 'aside') await way.aside.add(event.id);
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

/** Tries until it is taken; `aside` when it is not, and others need not wait for it. */
async function deliver(
  { clock, random }: DeliveryDeps,
  { tell, ending }: Way,
  { event, kind }: { event: FeedEvent; kind: WebhookEvent },
): Promise<'delivered' | 'aside' | 'ended'> {
  const sinceMs = clock.monotonicMs();
  for (let failures = 0; !ending.aborted; failures += 1) {
    const outcome = await tell(event, kind, failures);
    if (outcome === 'delivered' || outcome === 'ended') return outcome;
    if (outcome === 'refused' && failures + 1 >= TRIES_IN_ORDER) return 'aside';
    if (clock.monotonicMs() - sinceMs >= HOLD_MS) return 'aside';
    const pauseMs = fullJitterMs(failures, { ...BACKOFF, random });
    await wait(pauseMs, undefined, { signal: ending }).catch(() => undefined);
  }
  return 'ended';
}
