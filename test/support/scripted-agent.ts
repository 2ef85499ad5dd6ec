import { randomBytes, randomUUID } from 'node:crypto';
import type { Services } from '../../controller/services.js';
import { decodeBase64Url } from '../../protocol/base64url.js';
import { type EnvelopeType, sha256Hex, signEnvelope, signWithOwnKey } from '../../protocol/envelope.js';
import type { REJECTION_REASONS } from '../../protocol/messages/ack.js';
import type { ActionSpec, HookSpec } from '../../protocol/messages/capabilities.js';
import { Control } from '../../protocol/messages/control.js';
import { Enrolled } from '../../protocol/messages/enrollment.js';
import { Request } from '../../protocol/messages/request.js';
import type { Result } from '../../protocol/messages/result.js';
import { type TopicKind, topicFilter } from '../../protocol/topics.js';
import { toTime } from '../../runtime/clock.js';
import { generateKeyPair, type KeyPair } from '../../runtime/key-file.js';
import { createLogger } from '../../runtime/logger.js';
import { type MqttSession, startMqttSession } from '../../runtime/mqtt-session.js';
import type { TestScope } from './broker.js';
import { OWNER } from './core.js';
import { until } from './until.js';

const SCOPE = { prefix: 'muster/v1', org: 'default' };
const EMPTY_SHA = sha256Hex('');

/** A request as it came, and the hash that answers name it by. */
export type Offered = Readonly<{ request: Request; sha256: string; kind: TopicKind }>;

/** A control as it came. */
export type SentControl = Readonly<{ control: Control; sha256: string }>;

/** What a node may publish. */
type NodeTopic = 'hello' | 'ack' | 'output' | 'result' | 'reply' | 'capabilities';

/** A node that does what a test tells it to, with real keys on a real connection. */
export type ScriptedAgent = Readonly<{
  node: string;
  keys: KeyPair;
  session: MqttSession;
  processId: string;
  bootId: string;
  offers: readonly Offered[];
  controls: readonly Control[];
  /** The same with the hash by which a reply names each. */
  sent: readonly SentControl[];
  /** Execution ids of the receipts that came. */
  receipted: () => string[];
  /** Says hello until it is welcomed. */
  hello: (changes?: Readonly<Record<string, unknown>>) => Promise<void>;
  announce: () => Promise<void>;
  /** From now on the node offers this; its hello names it. */
  announceAs: (offers: Pick<AgentScript, 'actions' | 'hooks' | 'containers' | 'limits'>) => Promise<void>;
  answerControl: (sent: SentControl, data: Readonly<Record<string, unknown>>) => Promise<void>;
  /** Replies to the newest welcome. */
  answerWelcome: (data: Readonly<Record<string, unknown>>) => Promise<void>;
  /** Says `offline` without leaving: nothing is offered until the next hello. */
  goOffline: () => Promise<void>;
  /** The next offer that was not taken yet. */
  nextOffer: () => Promise<Offered>;
  ack: (offered: Offered, reason?: (typeof REJECTION_REASONS)[number] | '') => Promise<void>;
  result: (offered: Offered, changes?: Partial<Result>) => Promise<void>;
  /** Publishes anything, signed with any key. */
  say: (kind: NodeTopic, typ: EnvelopeType, payload: unknown, signer?: KeyPair) => Promise<void>;
  resultOf: (offered: Offered, changes?: Partial<Result>) => Result;
}>;

export type AgentScript = Readonly<{
  groups?: readonly string[];
  labels?: Readonly<Record<string, string>>;
  actions?: readonly ActionSpec[];
  hooks?: readonly HookSpec[];
  containers?: readonly Readonly<Record<string, unknown>>[];
  limits?: Readonly<Record<string, number>>;
  /** Acks and answers every request by itself. */
  runs?: boolean;
  /** Stays away until `hello` is called. */
  silent?: boolean;
}>;

export const PING: ActionSpec = { name: 'ping', description: 'answers', parameters: [] };

/** Enrolls a node with a token of its own and gives what the controller answered. */
export async function enrollNode(
  services: Services,
  node: string,
  { groups = [], labels = {} }: Pick<AgentScript, 'groups' | 'labels'> = {},
): Promise<{ keys: KeyPair; enrolled: Enrolled }> {
  const { token } = await services.enrollment.createToken(OWNER, {
    uses: 1,
    expires_in: '1h',
    groups: [...groups],
    labels,
  });
  const keys = generateKeyPair();
  const { jws } = await services.enrollment.enroll(enrollment(keys, { token, node_id: node }));
  return { keys, enrolled: Enrolled.parse(payloadOf(jws)) };
}

/** A `muster-enroll` JWS. */
export function enrollment(keys: KeyPair, ask: Readonly<{ token: string; node_id?: string }>): string {
  const payload = { v: 1, agent_version: '0.1.0', issued_at: toTime(Date.now()), ...ask };
  return signWithOwnKey(JSON.stringify(payload), keys.signing, keys.public);
}

/** The payload of a JWS, unchecked. */
export function payloadOf(jws: string): unknown {
  return JSON.parse((decodeBase64Url(jws.split('.')[1] ?? '') ?? Buffer.alloc(0)).toString('utf8'));
}

/** Enrolls a node and connects it. Unless it is silent, it has been welcomed and has announced its actions. */
export async function startScriptedAgent(
  t: TestScope,
  {
    services,
    brokerUrl,
    node,
    script = {},
  }: { services: Services; brokerUrl: string; node: string; script?: AgentScript },
): Promise<ScriptedAgent> {
  const { keys, enrolled } = await enrollNode(services, node, script);
  const agent = connectScriptedAgent(t, { brokerUrl, node, keys, script, password: enrolled.broker.password });
  await until(() => agent.session.connected, { what: `the connection of ${node}` });
  if (script.silent === true) return agent;
  await agent.hello();
  await until(async () => ((await services.nodes.get('default', node))?.builtin_actions.length ?? 0) > 0, {
    what: `the capabilities of ${node}`,
  });
  return agent;
}

/** Connects a node that is enrolled. */
export function connectScriptedAgent(
  t: TestScope,
  options: { brokerUrl: string; node: string; keys: KeyPair; script: AgentScript; password: string },
): ScriptedAgent {
  const { brokerUrl, node, keys, script, password } = options;
  const { groups = [], actions = [PING], hooks = [], containers = [], runs = false } = script;
  const processId = randomUUID();
  const bootId = randomUUID();
  const offers: Offered[] = [];
  const controls: Control[] = [];
  const sent: SentControl[] = [];
  let taken = 0;
  let epoch: string | null = null;
  let newest = { controlId: '', sha256: '' };
  let capabilities = capabilitiesOf(node, { actions, hooks, containers });

  const session = startMqttSession({
    url: brokerUrl,
    clientId: node,
    scope: SCOPE,
    keepAliveSeconds: 30,
    credentials: () => ({ username: node, password }),
    filters: () => [
      topicFilter(SCOPE, 'node_request', { node }),
      topicFilter(SCOPE, 'control', { node }),
      topicFilter(SCOPE, 'fleet_request'),
      ...groups.map((group) => topicFilter(SCOPE, 'group_request', { group })),
    ],
    onConnect: () => undefined,
    onMessage({ kind, payload }) {
      const value = payloadOf(payload.toString());
      if (kind === 'control') return takeControl(Control.parse(value), sha256Hex(octetsOf(payload)));
      const offered = { request: Request.parse(value), sha256: sha256Hex(octetsOf(payload)), kind };
      offers.push(offered);
      if (!runs) return;
      // What it still has to say when the test ends is said to nobody.
      ack(offered)
        .then(() => result(offered))
        .catch(() => undefined);
    },
    log: createLogger('agent', { level: 'silent' }),
  });
  t.after(session.stop);

  function takeControl(control: Control, sha256: string): void {
    controls.push(control);
    sent.push({ control, sha256 });
    if (control.kind !== 'welcome') return;
    newest = { controlId: control.control_id, sha256 };
    epoch ??= control.now;
    // A welcome that comes while the test ends stays without an answer.
    if (control.announce) announce().catch(() => undefined);
  }

  const say: ScriptedAgent['say'] = (kind, typ, payload, signer = keys) => {
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
    const jws = signEnvelope(typ, text, signer.signing);
    return session.publish(kind, { node }, jws);
  };
  const reply = ({ controlId, sha256 }: { controlId: string; sha256: string }, data: unknown) =>
    say('reply', 'muster-reply', {
      ...{ v: 1, control_id: controlId, control_sha256: sha256, node, org: 'default', ok: true, data },
    });
  const announce = () => say('capabilities', 'muster-capabilities', capabilities);
  const ack: ScriptedAgent['ack'] = ({ request, sha256 }, reason = '') =>
    say('ack', 'muster-ack', {
      ...{ v: 1, execution_id: request.execution_id, node, org: 'default', request_sha256: sha256, reason },
      status: reason === '' ? 'accepted' : 'rejected',
    });
  const resultOf: ScriptedAgent['resultOf'] = (offered, changes = {}) => ({
    ...resultFor(offered, { node, processId, bootId }),
    ...changes,
  });
  const result: ScriptedAgent['result'] = (offered, changes) =>
    say('result', 'muster-result', resultOf(offered, changes));

  return {
    ...{ node, keys, session, processId, bootId, offers, controls, sent, say, announce, ack, result, resultOf },
    receipted: () => controls.flatMap((control) => (control.kind === 'receipt' ? control.execution_ids : [])),
    async hello(changes = {}) {
      const before = controls.filter(({ kind }) => kind === 'welcome').length;
      await say('hello', 'muster-hello', {
        ...{ v: 1, node, org: 'default', boot_id: bootId, process_id: processId, connection: session.connection },
        ...{ agent_version: '0.1.0', started_at: toTime(Date.now()), node_time: toTime(Date.now()) },
        nonce: randomBytes(16).toString('base64url'),
        ...{ journal_epoch: epoch, journal_seq: 0, last_welcome_seq: before, keys_version: 1 },
        capabilities_sha256: sha256Hex(capabilities),
        ...{ running: [], unreceipted: [], unreceipted_count: 0, terminals: [] },
        ...changes,
      });
      await until(() => controls.filter(({ kind }) => kind === 'welcome').length > before, { what: 'a welcome' });
    },
    async announceAs(offered) {
      capabilities = capabilitiesOf(node, offered);
      await announce();
      await this.hello();
    },
    answerControl: ({ control, sha256 }, data) => reply({ controlId: control.control_id, sha256 }, data),
    answerWelcome: (data) => reply(newest, data),
    async goOffline() {
      const ids = { boot_id: bootId, process_id: processId, connection: session.connection };
      const status = {
        v: 1,
        state: 'offline',
        reason: 'stopped',
        ...ids,
        since: toTime(Date.now()),
        agent_version: '0',
      };
      await session.publish('status', { node }, JSON.stringify(status));
    },
    nextOffer: () =>
      until(
        () => {
          const offered = offers[taken];
          if (offered !== undefined) taken += 1;
          return offered;
        },
        { what: `an offer to ${node}` },
      ),
  };
}

function capabilitiesOf(
  node: string,
  {
    actions = [],
    hooks = [],
    containers = [],
    limits = {},
  }: Pick<AgentScript, 'actions' | 'hooks' | 'containers' | 'limits'>,
): string {
  const offered = { builtin_actions: actions, hooks, containers, terminals: [], limits };
  return JSON.stringify({ v: 1, node, org: 'default', ...offered });
}

function octetsOf(message: Buffer): Buffer {
  return decodeBase64Url(message.toString().split('.')[1] ?? '') ?? Buffer.alloc(0);
}

function resultFor(
  { request, sha256 }: Offered,
  { node, processId, bootId }: { node: string; processId: string; bootId: string },
): Result {
  return {
    ...{ v: 1, execution_id: request.execution_id, node, org: 'default', boot_id: bootId, process_id: processId },
    ...{ request_sha256: sha256, status: 'success', exit_code: 0, stdout: 'done\n', stderr: '' },
    ...{ stdout_encoding: 'utf-8', stderr_encoding: 'utf-8', stdout_bytes: 5, stderr_bytes: 0 },
    ...{ stdout_sha256: sha256Hex('done\n'), stderr_sha256: EMPTY_SHA },
    ...{ stdout_truncated: false, stderr_truncated: false, chunks: 0, duration: '5ms', duration_ms: 5 },
    finished_at: toTime(Date.now()),
  };
}
