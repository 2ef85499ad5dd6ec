import type { SigningKey } from '../../protocol/envelope.js';
import type { WakefulClock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { Refusal } from '../../runtime/refusals.js';
import type { Executor } from '../executor/executor.js';
import type { Speaker } from '../executor/to-result.js';
import type { IdentityFile } from '../identity.js';
import type { Journal } from '../journal/contract.js';
import type { TrustedKeys } from '../keys.js';
import type { AgentMetrics } from '../metrics.js';
import type { Outbox } from '../outbox.js';
import { startAnnouncements } from './announcements.js';
import { startBrokerLink } from './broker-link.js';
import { createGreeting } from './greeting.js';
import { createInbox } from './inbox.js';
import { createOnce } from './receive.js';
import { createResends } from './resends.js';
import type { StandingRecord } from './standing.js';
import { createVoice, type Voice } from './voice.js';
import { createWelcomes } from './welcomes.js';

export type AgentSessionOptions = Readonly<{
  identity: IdentityFile;
  signing: SigningKey;
  keys: TrustedKeys;
  standing: StandingRecord;
  speaker: Speaker;
  brokerUrl: string;
  keepAliveSeconds: number;
  maxPacketBytes: number;
  helloIntervalMs: number;
  metricsIntervalMs: number;
  journal: Journal;
  metrics: AgentMetrics;
  /** The payload of `muster-capabilities` as it is now. */
  capabilities: () => Buffer;
  onWelcome: () => void;
  clock: WakefulClock;
  log: Logger;
  random: () => number;
}>;

/** What requests and controls are for. */
type SessionParts = Readonly<{ executor: Executor; outbox: Outbox }>;

/** Times by the wall clock; undefined while there is no connection, or before the first welcome or refusal. */
export type SessionFacts = Readonly<{
  brokerUrl: string;
  connectedSinceMs: number | undefined;
  lastWelcomeMs: number | undefined;
  lastRefusal: Refusal | undefined;
}>;

/** The agent's side of the broker: what it says, and what it does with what comes. */
export type AgentSession = Readonly<{
  readonly connected: boolean;
  readonly localAddress: string | undefined;
  voice: Voice;
  /** Starts listening to requests and controls: called once executor and outbox exist. */
  serve: (parts: SessionParts) => void;
  /** Capabilities have changed. */
  capabilitiesChanged: () => void;
  /** An execution has ended. */
  executionEnded: () => void;
  /** How the link is, for people. */
  facts: () => SessionFacts;
  /** Says offline, then DISCONNECT. */
  stop: () => Promise<void>;
}>;

/** Starts connecting. Until `serve` messages are dropped, as if they had come before the start. */
export function startAgentSession(options: AgentSessionOptions): AgentSession {
  const { keys, standing, speaker, journal, maxPacketBytes, clock, log, random } = options;
  const { org, node, processId } = speaker;
  const nowMs = (): number => standing.nowMs() ?? clock.nowMs();
  let executor: Executor | undefined;

  const link = startBrokerLink({
    ...options,
    nowMs,
    onConnect(connection) {
      announcements.online(connection);
      greeting.connected();
    },
    onDisconnect: () => greeting.disconnected(),
    onMessage: (message) => inbox.take(message),
  });
  const { mqtt } = link;
  const voice = createVoice(mqtt, { speaker, signing: options.signing });
  const announcements = startAnnouncements({
    ...options,
    voice,
    connection: () => mqtt.connection,
    running: () => executor?.running() ?? [],
    nowMs,
  });
  const greeting = createGreeting({ say: announcements.hello, intervalMs: options.helloIntervalMs, clock, random });
  const welcomes = createWelcomes({
    ...options,
    sayHello: greeting.again,
    publishCapabilities: announcements.capabilities,
    reconnect: mqtt.reconnect,
  });
  const inbox = createInbox({
    ...options,
    context: {
      ...{ org, node, processId, keys, maxPacketBytes },
      standing: standing.read,
      isFirst: createOnce(standing.nowMs),
      onLate: greeting.doubt,
    },
    greeting,
    controls: {
      journal,
      reply: announcements.reply,
      sayHello: greeting.again,
      publishCapabilities: announcements.capabilities,
      welcome: welcomes.take,
      nowMs,
      log,
    },
  });

  return {
    get connected() {
      return mqtt.connected;
    },
    get localAddress() {
      return mqtt.localAddress;
    },
    voice,
    serve(parts) {
      executor = parts.executor;
      inbox.serve({ ...parts, resends: createResends({ journal, executor, publish: voice.output, log }) });
      if (mqtt.connected) greeting.again();
    },
    capabilitiesChanged: announcements.capabilities,
    executionEnded: announcements.metricsSoon,
    facts: () => ({
      brokerUrl: options.brokerUrl,
      connectedSinceMs: link.connectedSinceMs(),
      lastWelcomeMs: welcomes.lastMs(),
      lastRefusal: inbox.lastRefusal(),
    }),
    async stop() {
      greeting.stop();
      link.settle();
      welcomes.stop();
      announcements.stop();
      if (mqtt.connected) await announcements.goodbye();
      await mqtt.stop();
    },
  };
}
