import { z } from 'zod';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { ControllerMetrics } from '../metrics.js';
import type { FeedEvent } from '../services.js';
import type { Store } from '../store/store.js';
import type { Post, Posted } from './post.js';
import type { Webhook, WebhookEvent } from './webhooks-file.js';

/** What webhooks are told with. */
export type DeliveryDeps = Readonly<{
  store: Store;
  metrics: Pick<ControllerMetrics, 'webhook'>;
  clock: Clock;
  log: Logger;
  random: () => number;
  org: string;
}>;

/** Between two tries of one message. */
export const BACKOFF = { baseMs: 1_000, capMs: 300_000 } as const;
/** A receiver that has not taken a message for so long does not get it any more. */
export const GIVE_UP_MS = 24 * 3_600_000;

/** Tries once to tell of an event, and counts it. `failures` is how often it was tried before. */
export type Tell = (event: FeedEvent, kind: WebhookEvent, failures: number) => Promise<Posted['kind'] | 'ended'>;

/** Tells one webhook, until `ending` fires. */
export function createTell(
  { metrics, clock, log }: Pick<DeliveryDeps, 'metrics' | 'clock' | 'log'>,
  { webhook: { name: webhook }, post, ending }: { webhook: Pick<Webhook, 'name'>; post: Post; ending: AbortSignal },
): Tell {
  return async ({ id, text }, kind, failures) => {
    const posted = await post({ id, event: kind, body: text, nowMs: clock.nowMs() }, ending);
    if (ending.aborted && posted.kind !== 'delivered') return 'ended';
    metrics.webhook(posted.kind === 'delivered' ? 'delivered' : 'failed');
    if (posted.kind !== 'delivered') {
      log.warn({ webhook, event: id, why: posted.why, failures }, 'webhook not told, tried again');
    }
    return posted.kind;
  };
}

const NodeWent = z.object({ change: z.literal('offline') });

/** What the event is to webhooks; undefined when it is nothing to them. */
export function kindOf({ type, text }: FeedEvent): WebhookEvent | undefined {
  if (type === 'action_approval_request' || type === 'action_completed') return type;
  return type === 'node' && NodeWent.safeParse(JSON.parse(text)).success ? 'node_offline' : undefined;
}
