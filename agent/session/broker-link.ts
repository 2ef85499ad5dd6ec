import type { SigningKey } from '../../protocol/envelope.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import { type IncomingMessage, type MqttSession, startMqttSession } from '../../runtime/mqtt-session.js';
import type { Speaker } from '../executor/to-result.js';
import type { IdentityFile } from '../identity.js';
import type { AgentMetrics } from '../metrics.js';
import { filtersOf } from './filters.js';
import { createRenewal } from './renewal.js';
import { toStatus } from './to-status.js';

export type BrokerLinkOptions = Readonly<{
  identity: IdentityFile;
  signing: SigningKey;
  speaker: Speaker;
  brokerUrl: string;
  keepAliveSeconds: number;
  /** Corrected milliseconds since 1970. */
  nowMs: () => number;
  /** `connection` counts from 1. */
  onConnect: (connection: number) => void;
  onDisconnect: () => void;
  onMessage: (message: IncomingMessage) => void;
  metrics: Pick<AgentMetrics, 'connected'>;
  clock: Clock;
  log: Logger;
  random: () => number;
}>;

/** The node's connection to its broker, with its Will, and a password that is renewed when the broker refuses it. */
export type BrokerLink = Readonly<{
  mqtt: MqttSession;
  /** By the wall clock; undefined while there is no connection. */
  connectedSinceMs: () => number | undefined;
  /** Asks for no new password from now on. */
  settle: () => void;
}>;

/** Starts connecting. */
export function startBrokerLink(options: BrokerLinkOptions): BrokerLink {
  const { identity, speaker, metrics, clock, log, random } = options;
  const { org, node } = speaker;
  const renewal = createRenewal({ identity, signing: options.signing, clock, log });
  let connectedSinceMs: number | undefined;
  const mqtt = startMqttSession({
    url: options.brokerUrl,
    clientId: node,
    scope: { prefix: identity.current.prefix, org },
    ca: identity.current.broker.ca,
    keepAliveSeconds: options.keepAliveSeconds,
    credentials() {
      renewal.connecting();
      return identity.current.broker;
    },
    will(connection) {
      const will = { state: 'offline', reason: 'connection_lost', connection, sinceMs: options.nowMs() } as const;
      return { kind: 'status', levels: { node }, body: JSON.stringify(toStatus(speaker, will)) };
    },
    filters: () => filtersOf(identity.current),
    onConnect(connection) {
      connectedSinceMs = clock.nowMs();
      renewal.connected();
      metrics.connected(true);
      options.onConnect(connection);
    },
    onDisconnect() {
      connectedSinceMs = undefined;
      metrics.connected(false);
      options.onDisconnect();
    },
    onMessage: options.onMessage,
    log,
    random,
  });
  return { mqtt, connectedSinceMs: () => connectedSinceMs, settle: renewal.stop };
}
