import { setTimeout as wait } from 'node:timers/promises';
import { fullJitterMs } from '../../runtime/backoff.js';
import { decodeRow } from '../events/decode.js';
import type { FeedEvent } from '../services.js';
import { readEvents } from '../store/events.js';
import {
  auditWebhookLoss,
  dropWebhookEvent,
  findWebhookEventsAside,
  setWebhookEventAside,
  type WebhookLoss,
} from '../store/webhooks.js';
import { BACKOFF, type DeliveryDeps, GIVE_UP_MS, kindOf, type Tell } from './tell.js';

/** What one webhook refused: each event is told again on its own, while later ones go on. */
export type SetAside = Readonly<{
  /** Resolves when the store holds it. The oldest is given up on when there are too many. @throws {MusterError} storage_failed */
  add: (eventId: number) => Promise<void>;
  /** Tells those again that are due. @throws {MusterError} storage_failed */
  retry: () => Promise<void>;
}>;

/**
 * Of one webhook at most so many wait aside: more than a receiver that is away brings here in the day after which its
 * messages are given up on, one in ten minutes.
 */
export const MOST_ASIDE = 1_000;
const LOOK_MS = 1_000;

type Waiting = { readonly sinceMs: number; failures: number; dueMs: number };

/** With what the store says that it has refused before. @throws {MusterError} storage_failed */
export async function openSetAside(
  deps: DeliveryDeps,
  { name, tell }: { name: string; tell: Tell },
): Promise<SetAside> {
  const { store, metrics, clock, log, random, org } = deps;
  const known = await findWebhookEventsAside(store.read, name);
  const fresh = (): Waiting => ({ sinceMs: clock.monotonicMs(), failures: 0, dueMs: clock.monotonicMs() });
  const waiting = new Map<number, Waiting>(known.map((id) => [id, fresh()]));

  async function drop(id: number): Promise<void> {
    await store.write((tx) => dropWebhookEvent(tx, name, id));
    waiting.delete(id);
  }

  async function giveUp(id: number, why: WebhookLoss): Promise<void> {
    const nowMs = clock.nowMs();
    await store.write(async (tx) => {
      await dropWebhookEvent(tx, name, id);
      await auditWebhookLoss(tx, { name, org, nowMs, why, from: id });
    });
    waiting.delete(id);
    log.error({ webhook: name, event: id, why }, 'webhook given up on for this event');
    metrics.webhook('lost');
  }

  async function again(id: number, state: Waiting): Promise<'ended' | undefined> {
    const event = await findEvent(deps, id);
    const kind = event === undefined ? undefined : kindOf(event);
    const outcome = event === undefined || kind === undefined ? 'gone' : await tell(event, kind, state.failures);
    if (outcome === 'ended') return outcome;
    const nowMs = clock.monotonicMs();
    if (outcome === 'delivered') await drop(id);
    else if (outcome === 'gone') await giveUp(id, 'no_longer_held');
    else if (nowMs - state.sinceMs >= GIVE_UP_MS) await giveUp(id, 'not_taken_for_a_day');
    else {
      state.failures += 1;
      state.dueMs = nowMs + fullJitterMs(state.failures, { ...BACKOFF, random });
    }
    return undefined;
  }

  return {
    async add(id) {
      const oldest = waiting.size >= MOST_ASIDE ? waiting.keys().next().value : undefined;
      if (oldest !== undefined) await giveUp(oldest, 'too_many_set_aside');
      await store.write((tx) => setWebhookEventAside(tx, name, id));
      waiting.set(id, { ...fresh(), dueMs: clock.monotonicMs() + BACKOFF.baseMs });
    },
    async retry() {
      for (const [id, state] of [...waiting]) {
        if (state.dueMs > clock.monotonicMs() || !waiting.has(id)) continue;
        if ((await again(id, state)) === 'ended') return;
      }
    },
  };
}

async function findEvent({ store }: DeliveryDeps, id: number): Promise<FeedEvent | undefined> {
  const [row] = await readEvents(store.read, id - 1, 1);
  return row === undefined ? undefined : decodeRow(row, id - 1).find((event) => event.id === id);
}

/** Tells again what waits aside, a look each second, until `ending` fires. Never rejects. */
export async function retryAside(
  { log }: DeliveryDeps,
  { name, aside, ending }: { name: string; aside: SetAside; ending: AbortSignal },
): Promise<void> {
  while (!ending.aborted) {
    await wait(LOOK_MS, undefined, { signal: ending }).catch(() => undefined);
    if (ending.aborted) return;
    await aside
      .retry()
      .catch((err: unknown) => log.warn({ err, webhook: name }, 'events set aside not told, tried again'));
  }
}
