import { topicFilter } from '../../protocol/topics.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { Secrets } from '../../runtime/masking/mask.js';
import type { MqttSessionOptions } from '../../runtime/mqtt-session.js';
import { createClosers } from '../closers.js';
import type { ControllerConfig } from '../config.js';
import { type Core, createCore } from '../core.js';
import type { Dashboard } from '../http/dashboard.js';
import { limitsFor } from '../http/event-streams.js';
import type { Face, Front } from '../http/front.js';
import { createFace } from '../http/start-http.js';
import { endUnavailable, sendUnavailable } from '../http/transport.js';
import { issueBrokerPassword } from '../identity/broker-credentials.js';
import type { Keyring } from '../identity/keyring.js';
import { INGESTED } from '../ingest/ingest.js';
import type { Adapters } from '../integrations/adapter.js';
import type { Oidc } from '../sign-in/settings.js';
import type { Store } from '../store/store.js';
import { startTimers } from '../timers.js';
import type { Webhook } from '../webhooks/webhooks-file.js';

export type TermDeps = Readonly<{
  /** The store of this term. */
  store: Store;
  keyring: Keyring;
  config: ControllerConfig;
  secrets?: Secrets;
  /** The client id at the broker: the same for every controller on a store, so that a new term ends the session of the old. */
  clientId: string;
  brokerCa: string | undefined;
  adapters: Adapters;
  webhooks: readonly Webhook[];
  oidc: Oidc | undefined;
  front: Front;
  dashboard: Dashboard;
  /** What `/readyz` says when all is well. */
  ready: string;
  /** False when somebody else may lead: then nothing is published or answered any more. */
  holds: () => boolean;
  clock: Clock;
  log: Logger;
}>;

/**
 * Loads what the store says, connects to the broker and answers callers, as after a start: nothing of a term before is
 * in memory. Gives the function that ends it, which stores and tells what waits if it still may.
 * @throws {MusterError} storage_failed, forbidden (a route without a rule)
 */
export async function beginTerm(deps: TermDeps): Promise<() => Promise<void>> {
  const { config, webhooks, front, holds, clock, log } = deps;
  const closers = createClosers();
  const core = await createCore(deps);
  closers.add(core.link.stop);
  core.link.start(sessionOptions(core, deps));
  closers.add(core.drain);
  closers.add(startTimers(core, log));
  closers.add(core.startWebhooks(webhooks));
  try {
    const { face, stop } = await createFace({
      ...{ services: core.services, dashboard: deps.dashboard, clock },
      log: log.child({ component: 'http' }),
      streamLimits: limitsFor(config.max_event_streams),
    });
    closers.add(stop);
    front.show(whileHeld(face, holds));
  } catch (error) {
    await closers.closeAll();
    throw error;
  }
  return async () => {
    if (!holds()) await core.link.stop(); // nothing that waits is said any more
    await closers.closeAll();
  };
}

/** Answers nobody as the one that leads once another one may. */
function whileHeld({ request, upgrade }: Face, holds: () => boolean): Face {
  return {
    request: (asked, response) => (holds() ? request(asked, response) : sendUnavailable(response)),
    ...(upgrade === undefined
      ? {}
      : { upgrade: (asked, socket, head) => (holds() ? upgrade(asked, socket, head) : endUnavailable(socket)) }),
  };
}

function sessionOptions(
  { ingest, presence, connected }: Core,
  { config, keyring, clientId, brokerCa, clock, log }: TermDeps,
): MqttSessionOptions {
  const { prefix, org } = config;
  const scope = { prefix, org };
  return {
    url: config.broker_url,
    clientId,
    scope,
    ca: brokerCa,
    keepAliveSeconds: config.keep_alive,
    credentials: () => ({
      username: config.broker_username ?? clientId,
      password:
        config.broker_password ??
        issueBrokerPassword(keyring, { role: 'controller', id: clientId, org, groups: [] }, clock.nowMs()).password,
    }),
    filters: () => INGESTED.map((kind) => topicFilter(scope, kind)),
    onConnect: connected,
    onDisconnect: presence.forgetAll,
    onMessage: ingest.take,
    log: log.child({ component: 'broker_link' }),
  };
}
