import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { uuidv7 } from 'uuidv7';
import { z } from 'zod';
import { AgentConfig, MeshConfig } from '../../agent/config.js';
import { saveIdentity } from '../../agent/identity.js';
import { type AgentMetrics, createAgentMetrics } from '../../agent/metrics.js';
import type { StartAgentOptions } from '../../agent/start/context.js';
import { type RunningAgent, startAgent } from '../../agent/start.js';
import { type EnvelopeType, openEnvelope, parsePayload, signEnvelope } from '../../protocol/envelope.js';
import type { ErrorCode } from '../../protocol/errors.js';
import type { KeyListPayload } from '../../protocol/key-list.js';
import { signKeyList } from '../../protocol/key-list.js';
import { Hello } from '../../protocol/messages/hello.js';
import { TOPIC_BODIES } from '../../protocol/messages.js';
import { parseTopic, type TopicKind, topicFilter, topicName } from '../../protocol/topics.js';
import { SYSTEM_CLOCK, toTime } from '../../runtime/clock.js';
import { type KeyPair, loadOrCreateKey } from '../../runtime/key-file.js';
import { createLogger } from '../../runtime/logger.js';
import type { TestBroker, TestScope } from './broker.js';
import { HARMLESS } from './harmless.js';
import { connectClient } from './mqtt-clients.js';
import { until } from './until.js';

const NODE = 'pump';
const HOUR_MS = 3_600_000;

/** One believed message of the agent. */
export type Said = Readonly<{ kind: TopicKind; payload: Readonly<Record<string, unknown>>; octets: Buffer }>;

/** The controller's side of the broker, told by a test what to say; it verifies all that it hears. */
export type ScriptedController = Readonly<{
  said: readonly Said[];
  /** Every message of this kind so far. */
  heard: (kind: TopicKind) => readonly Said['payload'][];
  /** The first message of this kind that passes, now or later. */
  hear: (kind: TopicKind, pick?: (payload: Said['payload']) => boolean) => Promise<Said['payload']>;
  /** What the next welcomes say; undefined: nothing is answered. */
  welcomeWith: (changes: Readonly<Record<string, unknown>> | undefined, signer?: KeyPair) => void;
  request: (
    changes?: Readonly<Record<string, unknown>>,
  ) => Readonly<Record<string, unknown> & { execution_id: string }>;
  control: (kind: string, changes?: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>;
  /** Signs a payload and publishes it. */
  send: (
    kind: 'node_request' | 'control' | 'fleet_request',
    payload: Readonly<Record<string, unknown>>,
    signer?: KeyPair,
  ) => Promise<void>;
  sendRaw: (kind: 'node_request' | 'control' | 'fleet_request', bytes: string | Buffer) => Promise<void>;
  keyList: (changes?: Partial<z.infer<typeof KeyListPayload>>) => string;
  processId: () => string;
}>;

const Payload = z.record(z.string(), z.unknown());

/** Connects as a controller of this broker and answers each hello with a welcome. */
export async function scriptController(
  t: TestScope,
  broker: TestBroker,
  nodeKey: () => KeyPair,
): Promise<ScriptedController> {
  const scope = { prefix: broker.prefix, org: broker.org };
  const client = await connectClient(t, broker.url, broker.credential('controller', 'ctl-test'));
  const said: Said[] = [];
  let welcome: Readonly<Record<string, unknown>> | undefined = {};
  let welcomeSigner = broker.controller;
  let welcomes = 0;
  let processId = '';
  let knownKey: KeyPair | undefined;

  client.on('message', (topic, bytes) => {
    const found = parseTopic(scope, topic);
    if (found === undefined) return;
    const { typ } = TOPIC_BODIES[found.kind];
    const octets = typ === 'json' || typ === 'sealed frame' ? bytes : open(bytes, typ);
    const payload = Payload.parse(JSON.parse(octets.toString()));
    said.push({ kind: found.kind, payload, octets });
    if (found.kind === 'hello') answer(parsePayload(Hello, octets));
  });
  await client.subscribeAsync(
    (['hello', 'ack', 'output', 'result', 'reply', 'capabilities', 'status', 'metrics'] as const).map((kind) =>
      topicFilter(scope, kind),
    ),
    { qos: 1 },
  );

  function open(bytes: Buffer, typ: EnvelopeType): Buffer {
    knownKey ??= nodeKey(); // once, since its file may be gone before the last message is here
    const { key, kid } = knownKey.public;
    const keyOf = (asked: string) => (asked === kid ? { key, role: 'node' as const } : undefined);
    return openEnvelope(bytes, { typ, maxBytes: 256 * 1024, keyOf }).payload;
  }

  function answer(hello: Hello): void {
    processId = hello.process_id;
    if (welcome === undefined) return;
    welcomes += 1;
    // A hello that comes while the test ends stays without an answer.
    send('control', { ...control('welcome', { nonce: hello.nonce }), ...welcome }, welcomeSigner).catch(
      () => undefined,
    );
  }

  function control(kind: string, changes: Readonly<Record<string, unknown>> = {}) {
    const nowMs = SYSTEM_CLOCK.nowMs();
    const head = {
      v: 1,
      control_id: randomUUID(),
      org: broker.org,
      node: NODE,
      kind,
      issued_at: toTime(nowMs),
      expires_at: toTime(nowMs + 30_000),
    };
    if (kind !== 'welcome') return { ...head, ...(kind === 'announce' ? {} : { process_id: processId }), ...changes };
    return {
      ...head,
      now: toTime(nowMs),
      welcome_seq: welcomes,
      journal_seq: 0,
      enrolled_at: toTime(nowMs - HOUR_MS),
      groups: [],
      labels: {},
      wanted: [],
      cancelled: [],
      announce: false,
      ...changes,
    };
  }

  async function send(
    kind: 'node_request' | 'control' | 'fleet_request',
    payload: Readonly<Record<string, unknown>>,
    signer = broker.controller,
  ): Promise<void> {
    const typ = kind === 'control' ? 'muster-control' : 'muster-request';
    await sendRaw(kind, signEnvelope(typ, JSON.stringify(payload), signer.signing));
  }

  async function sendRaw(kind: 'node_request' | 'control' | 'fleet_request', bytes: string | Buffer): Promise<void> {
    const topic = kind === 'fleet_request' ? topicName(scope, kind, {}) : topicName(scope, kind, { node: NODE });
    await client.publishAsync(topic, bytes, { qos: 1 });
  }

  const heard = (kind: TopicKind): Said['payload'][] =>
    said.filter((each) => each.kind === kind).map(({ payload }) => payload);
  return {
    ...{ said, heard, control, send, sendRaw },
    hear: (kind, pick = () => true) => until(() => heard(kind).find(pick), { what: `a ${kind} message` }),
    welcomeWith: (changes, signer = broker.controller) => {
      welcome = changes;
      welcomeSigner = signer;
    },
    request(changes = {}) {
      const nowMs = SYSTEM_CLOCK.nowMs();
      return {
        v: 1,
        execution_id: uuidv7(),
        org: broker.org,
        target: { node: NODE },
        action: 'gather_info',
        parameters: {},
        timeout: '10s',
        issued_at: toTime(nowMs),
        expires_at: toTime(nowMs + HOUR_MS),
        ...changes,
      };
    },
    keyList: (changes = {}) =>
      signKeyList(
        {
          v: 1,
          org: broker.org,
          version: 2,
          keys: [broker.controller.public.jwk],
          not_after: toTime(SYSTEM_CLOCK.nowMs() + 30 * 24 * HOUR_MS),
          ...changes,
        },
        broker.root.signing,
      ),
    processId: () => processId,
  };
}

/** An agent that is enrolled with this broker's keys, in this directory. */
export async function startControlledAgent(
  t: TestScope,
  broker: TestBroker,
  directory: string,
  { groups = [], settings = {}, identity = {}, ...options }: ControlledAgentOptions = {},
): Promise<RunningAgent & Readonly<{ metrics: AgentMetrics }>> {
  enrollByHand(broker, directory, { groups, ...identity });
  const metrics = createAgentMetrics();
  const agent = await startAgent({
    config: {
      agent: AgentConfig.parse({
        ...{ data_dir: directory, metrics_port: -1, drain_timeout: '1ms', ...HARMLESS },
        ...settings,
      }),
      mesh: MeshConfig.parse({}),
    },
    log: createLogger('agent', { level: 'silent' }),
    clock: SYSTEM_CLOCK,
    metrics,
    ...options,
  });
  let stopped: Promise<void> | undefined;
  const stop = (hurry: AbortSignal): Promise<void> => (stopped ??= agent.stop(hurry));
  t.after(() => stop(AbortSignal.abort()));
  return { ...agent, stop, metrics };
}

type ControlledAgentOptions = Partial<Pick<StartAgentOptions, 'clock' | 'log' | 'random'>> &
  Readonly<{
    groups?: readonly string[];
    settings?: Readonly<Record<string, unknown>>;
    identity?: Readonly<{ controller_url?: string; password?: string }>;
  }>;

/** The key that the agent in this directory signs with. */
export function keyOfAgent(directory: string): KeyPair {
  return loadOrCreateKey(join(directory, 'node.key'));
}

/** What enrollment leaves in the directory. */
export function enrollByHand(
  broker: TestBroker,
  directory: string,
  {
    groups = [],
    password = broker.credential('node', NODE, groups).password,
    controller_url,
  }: Readonly<{ groups?: readonly string[]; password?: string; controller_url?: string }> = {},
): void {
  saveIdentity(directory, {
    v: 1,
    org: broker.org,
    node: NODE,
    prefix: broker.prefix,
    root: broker.root.public.jwk,
    keys: broker.keyListJws,
    broker: { url: broker.url, username: NODE, password },
    enrolled_at: toTime(SYSTEM_CLOCK.nowMs()),
    ...(controller_url === undefined ? {} : { controller_url }),
  });
}

/** How many messages this agent has refused with this code. */
export async function refusalsOf({ metrics }: { metrics: AgentMetrics }, code: ErrorCode): Promise<number> {
  const metric = metrics.registry.getSingleMetric('muster_agent_messages_refused_total');
  const { values = [] } = (await metric?.get()) ?? {};
  return values.find(({ labels }) => labels.code === code)?.value ?? 0;
}
