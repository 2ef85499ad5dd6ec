import { type SigningKey, sha256Hex } from '../../protocol/envelope.js';
import { isMusterError, MusterError } from '../../protocol/errors.js';
import type { Welcome } from '../../protocol/messages/control.js';
import { type Hello, MAX_HELLO_LIST } from '../../protocol/messages/hello.js';
import type { Status } from '../../protocol/messages/status.js';
import { topicFilter } from '../../protocol/topics.js';
import { toTime, type WakefulClock } from '../../runtime/clock.js';
import { withDeadline } from '../../runtime/deadline.js';
import type { Logger } from '../../runtime/logger.js';
import { type IncomingMessage, startMqttSession } from '../../runtime/mqtt-session.js';
import { createRefusals, type Refusal } from '../../runtime/refusals.js';
import { VERSION } from '../../runtime/version.js';
import type { Executor } from '../executor/executor.js';
import type { Speaker } from '../executor/to-result.js';
import type { IdentityFile } from '../identity.js';
import type { Journal } from '../journal/contract.js';
import type { TrustedKeys } from '../keys.js';
import type { AgentMetrics } from '../metrics.js';
import type { Outbox } from '../outbox.js';
import { obey } from './controls.js';
import { causeOfEpoch } from './epoch.js';
import { createGreeting } from './greeting.js';
import { createLane } from './lane.js';
import { groupsOf } from './password.js';
import { createOnce, openControl, openRequest, type ReceiveContext } from './receive.js';
import { createRenewal } from './renewal.js';
import { createResends, type Resends } from './resends.js';
import { metricsSnapshot, startSnapshots } from './snapshot.js';
import type { StandingRecord } from './standing.js';
import { createVoice, type Voice } from './voice.js';

/** After new groups the agent connects anew within this time, so that a fleet does not do it at once. */
const REGROUP_MS = 600_000;
/** More requests, or more controls, than this at once are dropped; a flood of the ones leaves the others their way. */
const MAX_UNDER_WAY = 1000;
/** A stop waits this long for the broker to take the last status; else the Will says it. */
const GOODBYE_MS = 2_000;
/** Capabilities are published at most once in this time. */
const CAPABILITIES_MS = 2_000;

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

/** What messages are for. */
type SessionParts = Readonly<{ executor: Executor; outbox: Outbox }>;
type ServedParts = SessionParts & Readonly<{ resends: Resends }>;

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
  const { identity, keys, standing, speaker, journal, metrics, clock, log, random } = options;
  const { org, node, bootId, processId } = speaker;
  const startedAt = toTime(clock.nowMs());
  // Signed by the controller and yet not to be read: no stranger can cause that.
  const isFault = (code: string): boolean => code.startsWith('payload_');
  const refusals = createRefusals({ log, clock, count: metrics.refused, isFault });
  const context: ReceiveContext = {
    org,
    node,
    processId,
    keys,
    maxPacketBytes: options.maxPacketBytes,
    standing: standing.read,
    isFirst: createOnce(standing.nowMs),
    onLate: () => greeting.doubt(),
  };
  let parts: ServedParts | undefined;
  let regroupTimer: NodeJS.Timeout | undefined;
  let capabilitiesTimer: NodeJS.Timeout | undefined;
  let areCapabilitiesDue = false;
  let connectedSinceMs: number | undefined;
  let lastWelcomeMs: number | undefined;
  const requests = createLane(MAX_UNDER_WAY);
  const controls = createLane(MAX_UNDER_WAY);

  const renewal = createRenewal({ identity, signing: options.signing, clock, log });
  const session = startMqttSession({
    url: options.brokerUrl,
    clientId: node,
    scope: { prefix: identity.current.prefix, org },
    ca: identity.current.broker.ca,
    keepAliveSeconds: options.keepAliveSeconds,
    credentials() {
      renewal.connecting();
      return identity.current.broker;
    },
    will: (connection) => ({
      kind: 'status',
      levels: { node },
      body: status('offline', 'connection_lost', connection),
    }),
    filters,
    onConnect(connection) {
      connectedSinceMs = clock.nowMs();
      renewal.connected();
      metrics.connected(true);
      attempt(voice.status(status('online', 'connected', connection)), 'status not published');
      greeting.connected();
    },
    onDisconnect() {
      connectedSinceMs = undefined;
      metrics.connected(false);
      greeting.disconnected();
    },
    onMessage: receive,
    log,
    random,
  });
  const voice = createVoice(session, { speaker, signing: options.signing });
  const greeting = createGreeting({
    say: (nonce) => attempt(voice.hello(JSON.stringify(hello(nonce))), 'hello not published'),
    intervalMs: options.helloIntervalMs,
    clock,
    random,
  });
  const snapshots = startSnapshots({ intervalMs: options.metricsIntervalMs, send: () => void publishMetrics() });

  function filters(): string[] {
    const scope = { prefix: identity.current.prefix, org };
    const groups = groupsOf(identity.current.broker.password);
    return [
      topicFilter(scope, 'node_request', { node }),
      topicFilter(scope, 'control', { node }),
      topicFilter(scope, 'fleet_request'),
      ...groups.map((group) => topicFilter(scope, 'group_request', { group })),
    ];
  }

  function receive(message: IncomingMessage): void {
    if (parts === undefined) return;
    const served = parts;
    try {
      if (message.kind === 'control') void controls.take(() => takeControl(message, served));
      else void requests.take(() => settle(served.executor.execute(openRequest(message, context))));
    } catch (error) {
      if (!isMusterError(error)) throw error;
      refusals.note(error, { topic: message.kind });
    }
  }

  /** @throws {MusterError} a refusal of openControl, stale */
  function takeControl(message: IncomingMessage, served: ServedParts): Promise<void> {
    const { control, sha256 } = openControl(message, context);
    if (control.kind === 'welcome' && !greeting.answers(control.nonce)) {
      throw new MusterError('stale', 'the welcome answers no open hello');
    }
    const deps = {
      ...served,
      journal,
      log,
      reply,
      welcome,
      nowMs,
      sayHello: greeting.again,
      publishCapabilities,
    };
    return settle(obey(control, sha256, deps), control.kind === 'welcome' ? greeting.later : undefined);
  }

  async function welcome(control: Welcome): Promise<void> {
    const nowMs = Date.parse(control.now);
    // A list that brought this welcome itself is in use already, and not stored yet.
    if (control.keys !== undefined && (keys.renew(control.keys) || identity.current.keys !== control.keys)) {
      keep({ keys: control.keys });
    }
    standing.take(control); // before the first await: the time counts from the arrival
    const { seq } = journal;
    const cause = causeOfEpoch(journal, { nowMs, seenSeq: control.journal_seq });
    if (cause !== undefined) await journal.beginEpoch(nowMs, control.journal_seq);
    if (cause !== undefined && cause !== 'first welcome') {
      log.error({ cause, seq, seenSeq: control.journal_seq }, 'journal cannot be believed, a new epoch begins');
      greeting.again(); // so that the controller learns of it before it offers anything else
    }
    await journal.welcomed(control.welcome_seq, nowMs);
    if (control.password !== undefined) takePassword(control.password);
    log.info({ welcomeSeq: control.welcome_seq, groups: control.groups.length }, 'welcomed');
    if (control.announce) publishCapabilities();
    lastWelcomeMs = clock.nowMs();
    options.onWelcome();
  }

  /** A disk that is full must not cost the welcome: what it brought counts, and comes again after a restart. */
  function keep(change: Readonly<{ keys?: string; password?: string }>): void {
    try {
      identity.update(change);
    } catch (error) {
      if (!isMusterError(error, 'storage_failed')) throw error;
      log.error({ err: error }, 'identity not stored');
    }
  }

  function takePassword(password: string): void {
    const before = filters().join(' ');
    keep({ password });
    if (filters().join(' ') === before || regroupTimer !== undefined) return;
    regroupTimer = setTimeout(() => {
      regroupTimer = undefined;
      session.reconnect();
    }, random() * REGROUP_MS);
    regroupTimer.unref();
  }

  function hello(nonce: string): Hello {
    const unreceipted = journal.unreceipted();
    return {
      v: 1,
      node,
      org,
      boot_id: bootId,
      process_id: processId,
      connection: session.connection,
      agent_version: VERSION,
      started_at: startedAt,
      node_time: toTime(clock.nowMs()),
      nonce,
      journal_epoch: journal.epochMs === undefined ? null : toTime(journal.epochMs),
      journal_seq: journal.seq,
      last_welcome_seq: journal.welcomeSeq,
      keys_version: keys.version,
      capabilities_sha256: sha256Hex(options.capabilities()),
      running: (parts?.executor.running() ?? []).slice(0, MAX_HELLO_LIST),
      unreceipted: unreceipted.slice(0, MAX_HELLO_LIST),
      unreceipted_count: unreceipted.length,
      terminals: [],
    };
  }

  function status(state: Status['state'], reason: string, connection: number): string {
    const since = toTime(nowMs());
    return JSON.stringify({
      v: 1,
      state,
      reason,
      boot_id: bootId,
      process_id: processId,
      connection,
      since,
      agent_version: VERSION,
    } satisfies Status);
  }

  function publishCapabilities(): void {
    if (capabilitiesTimer !== undefined) {
      areCapabilitiesDue = true;
      return;
    }
    areCapabilitiesDue = false;
    attempt(voice.capabilities(options.capabilities()), 'capabilities not published');
    capabilitiesTimer = setTimeout(() => {
      capabilitiesTimer = undefined;
      if (areCapabilitiesDue) publishCapabilities();
    }, CAPABILITIES_MS);
    capabilitiesTimer.unref();
  }

  async function publishMetrics(): Promise<void> {
    const snapshot = await metricsSnapshot(metrics.registry, node, nowMs());
    attempt(voice.metrics(snapshot), 'metrics not published');
  }

  function nowMs(): number {
    return standing.nowMs() ?? clock.nowMs();
  }

  function reply(payload: Parameters<Voice['reply']>[0]): void {
    attempt(voice.reply(payload), 'reply not published');
  }

  /** For what is said again anyway: a lost link is an expected end of it. */
  function attempt(saying: Promise<void>, failure: string): void {
    saying.catch((error: unknown) => {
      if (!isMusterError(error)) throw error;
      log.debug({ error: error.message }, failure);
    });
  }

  async function settle(work: Promise<unknown>, onFailure?: () => void): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (!isMusterError(error)) throw error;
      refusals.note(error, {});
      onFailure?.();
    }
  }

  return {
    get connected() {
      return session.connected;
    },
    get localAddress() {
      return session.localAddress;
    },
    voice,
    serve(served) {
      const resends = createResends({ journal, executor: served.executor, publish: voice.output, log });
      parts = { ...served, resends };
      if (session.connected) greeting.again();
    },
    capabilitiesChanged: publishCapabilities,
    executionEnded: snapshots.nudge,
    facts: () => ({ brokerUrl: options.brokerUrl, connectedSinceMs, lastWelcomeMs, lastRefusal: refusals.last() }),
    async stop() {
      greeting.stop();
      renewal.stop();
      snapshots.stop();
      clearTimeout(regroupTimer);
      clearTimeout(capabilitiesTimer);
      if (session.connected) {
        const said = voice.status(status('offline', 'stopped', session.connection));
        await withDeadline(said, GOODBYE_MS, 'the last status').catch(() => undefined);
      }
      await session.stop();
    },
  };
}
