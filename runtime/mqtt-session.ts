import { connect, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import { MusterError } from '../protocol/errors.js';
import {
  parseTopic,
  TOPICS,
  type TopicKind,
  type TopicLevels,
  type TopicParams,
  type TopicScope,
  topicName,
} from '../protocol/topics.js';
import { fullJitterMs } from './backoff.js';
import type { Logger } from './logger.js';

/** One message, its topic already taken apart. */
export type IncomingMessage = Readonly<{ kind: TopicKind; levels: TopicLevels; payload: Buffer }>;

export type MqttSessionOptions = Readonly<{
  url: string;
  clientId: string;
  scope: TopicScope;
  /** PEM of the CA that signed the broker's certificate; the system's CAs when absent. */
  ca?: string | undefined;
  keepAliveSeconds: number;
  /** Asked anew at each connect, since a broker password is short-lived. */
  credentials: () => Readonly<{ username: string; password: string }>;
  /** What the broker publishes for us when the connection breaks; asked anew at each connect. */
  will?: (connection: number) => Readonly<{ kind: TopicKind; levels: TopicLevels; body: string }>;
  /** The Topic Filters to subscribe on each connect. */
  filters: () => readonly string[];
  /** Called once all filters are granted. `connection` counts from 1. */
  onConnect: (connection: number) => void;
  onDisconnect?: (reason: string) => void;
  /**
   * A returned promise holds back the next message until it settles: back-pressure for whoever sends too fast. It also
   * holds back acknowledgements and pings, so it must be short and must never wait for a publish of this session.
   */
  onMessage: (message: IncomingMessage) => void | Promise<void>;
  /** A topic that is none of ours. */
  onForeignTopic?: (topic: string) => void;
  log: Logger;
  random?: () => number;
}>;

/** A connection that comes back by itself. Nothing is queued while it is away: the callers' records are the truth. */
export type MqttSession = Readonly<{
  readonly connected: boolean;
  /** How often it has connected. */
  readonly connection: number;
  /** The local address of the connection; undefined while there is none. */
  readonly localAddress: string | undefined;
  /**
   * Resolves when the broker has acknowledged (QoS 1) or the bytes are written (QoS 0).
   * @throws {MusterError} not_connected, deadline_passed, topic_invalid
   */
  publish: <K extends TopicKind>(kind: K, params: TopicParams<K>, body: string | Buffer) => Promise<void>;
  /** Drops the connection and makes a new one, with new credentials and filters. */
  reconnect: () => void;
  /** Says DISCONNECT, so that the Will is not published. */
  stop: () => Promise<void>;
}>;

/** Some brokers take no more in one packet. */
const MAX_FILTERS_PER_SUBSCRIBE = 8;
const CONNECT_TIMEOUT_MS = 10_000;
const PUBLISH_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 2_000;
const RECONNECT_BASE_MS = 500;
/** Work flows again within 30 s of a broker's return, and connecting and the welcome take a part of that. */
const RECONNECT_CAP_MS = 20_000;
/** Only a connection that lasted this long resets the back-off: a broker that drops us at once is not hammered. */
const STEADY_MS = 60_000;

/** Starts connecting at once and never gives up until `stop()`. MQTT 3.1.1, clean sessions, TCP_NODELAY. */
export function startMqttSession(options: MqttSessionOptions): MqttSession {
  const { scope, log, random = Math.random } = options;
  let client: MqttClient | undefined;
  let connected = false;
  let connection = 0;
  let failures = 0;
  let stopping = false;
  let retryTimer: NodeJS.Timeout | undefined;
  let holdWrites: () => void = () => undefined;
  /** Rejecters of publishes whose acknowledgement is outstanding. */
  const outstanding = new Set<(error: MusterError) => void>();

  function open(): void {
    const attempt = connection + 1;
    const current = connect(options.url, clientOptions(options, attempt));
    client = current;
    let steadyTimer: NodeJS.Timeout | undefined;
    let lastError = 'closed';
    current.handleMessage = (packet, done) => deliver(packet, done);
    current.on('error', (error) => {
      lastError = error.message;
    });
    current.on('connect', () => {
      setNoDelay(current);
      holdWrites = createHold(current.stream);
      connection = attempt;
      subscribe(current, options.filters()).then(
        () => {
          if (client !== current || current.disconnecting) return;
          connected = true;
          steadyTimer = setTimeout(() => {
            failures = 0;
          }, STEADY_MS);
          log.info({ connection }, 'connected to broker');
          options.onConnect(connection);
        },
        (error: unknown) => {
          lastError = error instanceof Error ? error.message : String(error);
          current.end(true);
        },
      );
    });
    current.on('close', () => {
      clearTimeout(steadyTimer);
      if (client !== current) return;
      client = undefined;
      const wasConnected = connected;
      connected = false;
      current.end(true);
      for (const fail of outstanding) fail(new MusterError('not_connected', 'The connection to the broker was lost'));
      outstanding.clear();
      if (wasConnected) options.onDisconnect?.(lastError);
      if (stopping) return;
      const waitMs = fullJitterMs(failures, { baseMs: RECONNECT_BASE_MS, capMs: RECONNECT_CAP_MS, random });
      failures += 1;
      log[wasConnected ? 'warn' : 'debug'](
        { reason: lastError, waitMs: Math.round(waitMs) },
        'not connected to broker',
      );
      retryTimer = setTimeout(open, waitMs);
    });
  }

  function deliver(packet: IPublishPacket, done: (error?: Error) => void): void {
    holdWrites();
    const found = parseTopic(scope, packet.topic);
    if (found === undefined) {
      options.onForeignTopic?.(packet.topic);
      done();
      return;
    }
    const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload;
    const held = options.onMessage({ ...found, payload });
    if (held === undefined) done();
    else
      held.then(
        () => done(),
        (error: unknown) => process.nextTick(() => rethrow(error)),
      );
  }

  open();
  return {
    get connected() {
      return connected;
    },
    get connection() {
      return connection;
    },
    get localAddress() {
      const address: unknown = client === undefined ? undefined : Reflect.get(client.stream, 'localAddress');
      return typeof address === 'string' ? address : undefined;
    },
    publish(kind, params, body) {
      const topic = topicName(scope, kind, params);
      const current = client;
      if (current === undefined || !connected) {
        return Promise.reject(new MusterError('not_connected', 'There is no connection to the broker'));
      }
      holdWrites();
      return publishOn(current, topic, kind, body, outstanding);
    },
    reconnect() {
      failures = 0;
      client?.stream.destroy();
    },
    async stop() {
      stopping = true;
      clearTimeout(retryTimer);
      const current = client;
      if (current === undefined) return;
      client = undefined;
      connected = false;
      await new Promise<void>((done) => {
        const timer = setTimeout(() => {
          current.end(true);
          done();
        }, STOP_TIMEOUT_MS);
        current.end(false, {}, () => {
          clearTimeout(timer);
          done();
        });
      });
      for (const fail of outstanding) fail(new MusterError('not_connected', 'The session has stopped'));
      outstanding.clear();
    },
  };
}

function clientOptions(options: MqttSessionOptions, attempt: number): IClientOptions {
  const will = options.will?.(attempt);
  return {
    ...options.credentials(),
    clientId: options.clientId,
    protocolVersion: 4,
    clean: true,
    keepalive: options.keepAliveSeconds,
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    writeCache: false,
    ...(options.ca === undefined ? {} : { ca: options.ca }),
    ...(will === undefined
      ? {}
      : {
          will: {
            topic: topicName(options.scope, will.kind, will.levels as TopicParams<typeof will.kind>),
            payload: Buffer.from(will.body),
            qos: TOPICS[will.kind].qos,
            retain: TOPICS[will.kind].retain,
          },
        }),
  };
}

async function subscribe(client: MqttClient, filters: readonly string[]): Promise<void> {
  for (let at = 0; at < filters.length; at += MAX_FILTERS_PER_SUBSCRIBE) {
    const granted = await client.subscribeAsync(filters.slice(at, at + MAX_FILTERS_PER_SUBSCRIBE), { qos: 1 });
    const denied = granted.find(({ qos }) => qos > 1);
    if (denied !== undefined) throw new MusterError('forbidden', `The broker denies ${denied.topic}`);
  }
}

function publishOn(
  client: MqttClient,
  topic: string,
  kind: TopicKind,
  body: string | Buffer,
  outstanding: Set<(error: MusterError) => void>,
): Promise<void> {
  const { qos, retain } = TOPICS[kind];
  return new Promise((resolve, reject) => {
    const fail = (error: MusterError): void => {
      clearTimeout(timer);
      outstanding.delete(fail);
      reject(error);
    };
    const timer = setTimeout(
      () =>
        fail(new MusterError('deadline_passed', `The broker did not acknowledge ${kind} in ${PUBLISH_TIMEOUT_MS} ms`)),
      PUBLISH_TIMEOUT_MS,
    );
    outstanding.add(fail);
    client.publish(topic, body, { qos, retain }, (error) => {
      if (error) return fail(new MusterError('not_connected', error.message, { cause: error }));
      clearTimeout(timer);
      outstanding.delete(fail);
      resolve();
    });
  });
}

/** Without it a small message waits for the acknowledgement of the one before: 53 ms instead of 0.9 ms (2026-10). */
function setNoDelay(client: MqttClient): void {
  const noDelay: unknown = Reflect.get(client.stream, 'setNoDelay');
  if (typeof noDelay === 'function') noDelay.call(client.stream, true);
}

/** Packets of one turn of the event loop leave in one write: acknowledgements of a batch that came, and what it caused. */
function createHold(stream: MqttClient['stream']): () => void {
  let isHeld = false;
  return () => {
    if (isHeld) return;
    isHeld = true;
    stream.cork();
    setImmediate(() => {
      isHeld = false;
      stream.uncork();
    });
  };
}

function rethrow(error: unknown): never {
  throw error;
}
