import { startDeliveries } from './deliveries.js';
import { createPost } from './post.js';
import type { DeliveryDeps } from './tell.js';
import type { Webhook } from './webhooks-file.js';

/** Tells every webhook of events until the returned function is called; one that does not answer holds up no other. */
export function startWebhooks(deps: DeliveryDeps, webhooks: readonly Webhook[]): () => Promise<void> {
  const stops = webhooks.map((webhook) => startDeliveries(deps, webhook, createPost(webhook)));
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
  };
}
