import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { encodeBase64Url } from '../../../protocol/base64url.js';
import { signEnvelope } from '../../../protocol/envelope.js';
import type { ErrorCode } from '../../../protocol/errors.js';
import { SYSTEM_CLOCK, toTime } from '../../../runtime/clock.js';
import { generateKeyPair, type KeyPair } from '../../../runtime/key-file.js';
import { createLogger } from '../../../runtime/logger.js';
import { startTestBroker, type TestBroker, type TestScope } from '../../support/broker.js';
import {
  keyOfAgent,
  refusalsOf,
  type ScriptedController,
  scriptController,
  startControlledAgent,
} from '../../support/controlled-agent.js';
import { forgeJws } from '../../support/jws.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const DAY_MS = 24 * 3_600_000;

type World = Readonly<{ broker: TestBroker; controller: ScriptedController; nodeKey: KeyPair }>;
type Bad = readonly [what: string, code: ErrorCode, message: (world: World) => string | Buffer];

const sign = ({ broker }: World, payload: unknown): string =>
  signEnvelope(
    'muster-request',
    typeof payload === 'string' ? payload : JSON.stringify(payload),
    broker.controller.signing,
  );
const forge = (world: World, header: object): string =>
  forgeJws({ ...header }, JSON.stringify(world.controller.request()), world.broker.controller);

const BAD_REQUESTS: readonly Bad[] = [
  ['nothing', 'envelope_malformed', () => ''],
  ['no JWS', 'envelope_malformed', () => 'hello'],
  ['plain JSON', 'envelope_malformed', ({ controller }) => JSON.stringify(controller.request())],
  ['bytes that are no text', 'envelope_malformed', () => Buffer.from([0xff, 0x00, 0xfe, 0x2e, 0x2e])],
  ['too many bytes', 'envelope_too_large', () => 'x'.repeat(200 * 1024)],
  [
    'two parts of three',
    'envelope_malformed',
    (world) => sign(world, world.controller.request()).split('.').slice(0, 2).join('.'),
  ],
  ['a padded signature', 'envelope_malformed', (world) => `${sign(world, world.controller.request())}==`],
  [
    'alg none',
    'envelope_algorithm',
    (world) => forge(world, { alg: 'none', typ: 'muster-request', kid: kidOf(world) }),
  ],
  [
    'alg HS256',
    'envelope_algorithm',
    (world) => forge(world, { alg: 'HS256', typ: 'muster-request', kid: kidOf(world) }),
  ],
  ['no kid', 'envelope_algorithm', (world) => forge(world, { alg: 'EdDSA', typ: 'muster-request' })],
  [
    'a key of its own',
    'envelope_algorithm',
    (world) => forge(world, { alg: 'EdDSA', typ: 'muster-request', jwk: world.broker.controller.public.jwk }),
  ],
  [
    'crit',
    'envelope_algorithm',
    (world) => forge(world, { alg: 'EdDSA', typ: 'muster-request', kid: kidOf(world), crit: ['b64'] }),
  ],
  ['no typ', 'envelope_algorithm', (world) => forge(world, { alg: 'EdDSA', kid: kidOf(world) })],
  [
    'the typ of a control',
    'envelope_type',
    (world) => forge(world, { alg: 'EdDSA', typ: 'muster-control', kid: kidOf(world) }),
  ],
  [
    'an unknown kid',
    'unknown_key',
    ({ controller }) => signEnvelope('muster-request', JSON.stringify(controller.request()), generateKeyPair().signing),
  ],
  [
    "the node's own key",
    'unknown_key',
    ({ controller, nodeKey }) => signEnvelope('muster-request', JSON.stringify(controller.request()), nodeKey.signing),
  ],
  [
    "the root's key",
    'unknown_key',
    ({ controller, broker }) =>
      signEnvelope('muster-request', JSON.stringify(controller.request()), broker.root.signing),
  ],
  [
    'S-P-63: a signature by another key',
    'bad_signature',
    (world) =>
      signEnvelope('muster-request', JSON.stringify(world.controller.request()), {
        kid: kidOf(world),
        key: generateKeyPairSync('ed25519').privateKey,
      }),
  ],
  [
    'S-P-63: another payload than was signed',
    'bad_signature',
    (world) => alter(sign(world, world.controller.request({ action: 'ping' })), world.controller.request()),
  ],
  ['S-P-12: signed bytes that are no JSON', 'payload_malformed', (world) => sign(world, '{"v":1,')],
  [
    'signed bytes that are no UTF-8',
    'payload_malformed',
    ({ broker }) => signEnvelope('muster-request', Buffer.from([0x22, 0xff, 0x22]), broker.controller.signing),
  ],
  ['an unknown v', 'unknown_version', (world) => sign(world, world.controller.request({ v: 2, execution_id: 7 }))],
  [
    'S-P-13, P-52: no execution id',
    'payload_invalid',
    (world) => sign(world, { ...world.controller.request(), execution_id: undefined }),
  ],
  [
    'S-P-13: an empty execution id',
    'payload_invalid',
    (world) => sign(world, world.controller.request({ execution_id: '' })),
  ],
  [
    'S-P-32: a negative time-out',
    'payload_invalid',
    (world) => sign(world, world.controller.request({ timeout: '-5s' })),
  ],
  [
    'S-P-32: a time-out of zero',
    'payload_invalid',
    (world) => sign(world, world.controller.request({ timeout: '0s' })),
  ],
  [
    'a window of more than 7 days',
    'payload_invalid',
    (world) => sign(world, world.controller.request({ expires_at: toTime(SYSTEM_CLOCK.nowMs() + 8 * DAY_MS) })),
  ],
  [
    'a broadcast without roster_at',
    'payload_invalid',
    (world) => sign(world, world.controller.request({ target: { fleet: true } })),
  ],
  ['__proto__ as action', 'payload_invalid', (world) => sign(world, world.controller.request({ action: '__proto__' }))],
  ['another org', 'wrong_audience', (world) => sign(world, world.controller.request({ org: 'other' }))],
  ['another node', 'wrong_audience', (world) => sign(world, world.controller.request({ target: { node: 'valve' } }))],
];

for (const [what, code, message] of BAD_REQUESTS) {
  test(`P-51: a request that is or has ${what} is refused as ${code} and not answered`, async (t) => {
    const world = await setUp(t);

    await world.controller.sendRaw('node_request', message(world));
    await until(async () => (await refusalsOf(world.agent, code)) === 1, { what: `${code} counted` });

    const good = world.controller.request();
    await world.controller.send('node_request', good);
    await world.controller.hear('ack');
    assert.deepEqual(
      world.controller.heard('ack').map(({ execution_id }) => execution_id),
      [good.execution_id],
    );
  });
}

test('P-112, P-113: what the controller signed and cannot be read is an error that names the fault', async (t) => {
  const world = await setUp(t);

  await world.controller.sendRaw('node_request', sign(world, '{"v":1,'));
  await world.controller.sendRaw('node_request', sign(world, { ...world.controller.request(), execution_id: '' }));
  await world.controller.sendRaw('node_request', 'hello');
  await until(() => world.logs.filter(({ msg }) => msg === 'message refused').length === 3, { what: 'three lines' });

  const [unreadable, incomplete, stranger] = world.logs.filter(({ msg }) => msg === 'message refused');
  assert.deepEqual([unreadable?.level, unreadable?.code], ['error', 'payload_malformed']);
  assert.deepEqual([incomplete?.level, incomplete?.code], ['error', 'payload_invalid']);
  assert.match(String(incomplete?.detail), /execution_id/);
  assert.deepEqual([stranger?.level, stranger?.code], ['warn', 'envelope_malformed']);
});

const BAD_CONTROLS: readonly (readonly [
  string,
  ErrorCode,
  (controller: ScriptedController) => Record<string, unknown>,
])[] = [
  ['for another node', 'wrong_audience', (controller) => ({ ...announce(controller), node: 'valve' })],
  ['for another org', 'wrong_audience', (controller) => ({ ...announce(controller), org: 'other' })],
  [
    'for another process',
    'stale',
    (controller) => ({ ...cancel(controller), process_id: '8a7b6c5d-0000-4000-8000-000000000009' }),
  ],
  [
    'with a life of more than 60 s',
    'payload_invalid',
    (controller) => ({ ...announce(controller), ...window(0, 61_000) }),
  ],
  ['of an unknown kind', 'payload_invalid', (controller) => ({ ...announce(controller), kind: 'reboot' })],
  ['without a process', 'payload_invalid', (controller) => ({ ...cancel(controller), process_id: undefined })],
];

for (const [what, code, payload] of BAD_CONTROLS) {
  test(`a control ${what} is refused as ${code} and not obeyed`, async (t) => {
    const { agent, controller } = await setUp(t);

    await controller.send('control', payload(controller));
    await until(async () => (await refusalsOf(agent, code)) === 1, { what: `${code} counted` });

    await controller.send('node_request', controller.request());
    await controller.hear('ack');
    assert.deepEqual(controller.heard('reply'), []);
    assert.equal(controller.heard('hello').length, 1);
  });
}

test('S-P-64: a control past its end is not obeyed; once a minute it makes the agent ask for the time', async (t) => {
  const { agent, controller } = await setUp(t);
  const late = (): Record<string, unknown> => ({ ...cancel(controller), ...window(-60_000, -30_000) });

  await controller.send('control', late());
  await until(() => controller.heard('hello').length === 2, { what: 'a hello' });
  await controller.send('control', late());
  await until(async () => (await refusalsOf(agent, 'stale')) === 2, { what: 'both refusals' });

  await controller.send('node_request', controller.request());
  await controller.hear('ack');
  assert.deepEqual(controller.heard('reply'), []);
  assert.equal(controller.heard('hello').length, 2);
});

test('S-P-65: a control works once', async (t) => {
  const { agent, controller } = await setUp(t);
  const control = cancel(controller);

  await controller.send('control', control);
  await controller.hear('reply');
  await controller.send('control', control);
  await until(async () => (await refusalsOf(agent, 'replayed')) === 1, { what: 'the refusal' });

  assert.equal(controller.heard('reply').length, 1);
});

test('a request of the key list before counts no more once a newer list is known', async (t) => {
  const { agent, controller, broker } = await setUp(t);
  const next = generateKeyPair();

  controller.welcomeWith({ keys: controller.keyList({ version: 2, keys: [next.public.jwk] }) }, next);
  await controller.send('control', announce(controller));
  await controller.hear('hello', ({ keys_version }) => keys_version === 1);
  await until(() => controller.heard('hello').length === 2, { what: 'the second hello' });
  await until(
    async () => {
      await controller.send('node_request', controller.request(), next);
      return controller.heard('ack').length > 0;
    },
    { what: 'an ack for the new key' },
  );

  const refused = await refusalsOf(agent, 'unknown_key');
  await controller.send('node_request', controller.request(), broker.controller);
  await until(async () => (await refusalsOf(agent, 'unknown_key')) === refused + 1, {
    what: 'a refusal of the old key',
  });
});

test('a key list of a lower version is refused, whoever brings it', async (t) => {
  const { agent, controller } = await setUp(t, { keys: 3 });

  controller.welcomeWith({ keys: controller.keyList({ version: 2, keys: [generateKeyPair().public.jwk] }) });
  const refused = await refusalsOf(agent, 'stale');
  await controller.send('control', announce(controller));

  await until(async () => (await refusalsOf(agent, 'stale')) > refused, { what: 'the refusal' });
});

test('a key list that the pinned root has not signed opens nothing', async (t) => {
  const { agent, controller, broker } = await setUp(t);
  const intruder = { root: generateKeyPair(), controller: generateKeyPair() };
  const forged = forgeJws(
    { alg: 'EdDSA', typ: 'muster-keys', kid: broker.root.public.kid },
    JSON.stringify({
      v: 1,
      org: broker.org,
      version: 9,
      keys: [intruder.controller.public.jwk],
      not_after: toTime(SYSTEM_CLOCK.nowMs() + DAY_MS),
    }),
    intruder.root,
  );

  controller.welcomeWith({ keys: forged }, intruder.controller);
  await controller.send('control', announce(controller));
  await until(async () => (await refusalsOf(agent, 'bad_signature')) === 1, { what: 'the refusal' });

  await controller.send('node_request', controller.request(), intruder.controller);
  await until(async () => (await refusalsOf(agent, 'unknown_key')) === 1, { what: 'the refusal of the request' });
  assert.deepEqual(controller.heard('ack'), []);
});

test('past the end of its key list an agent believes no request, until a newer list comes', async (t) => {
  const { agent, controller } = await setUp(t, { helloInterval: '1s' });
  const lateMs = 40 * DAY_MS;
  const late = () => toTime(SYSTEM_CLOCK.nowMs() + lateMs);

  controller.welcomeWith({ now: late() });
  await controller.send('control', announce(controller));
  await until(
    async () => {
      await controller.send('node_request', controller.request());
      return (await refusalsOf(agent, 'key_list_expired')) > 0;
    },
    { what: 'a refusal' },
  );

  const notAfter = toTime(SYSTEM_CLOCK.nowMs() + 2 * lateMs);
  controller.welcomeWith({ now: late(), keys: controller.keyList({ version: 2, not_after: notAfter }) });
  await until(
    async () => {
      const window = { issued_at: late(), expires_at: toTime(SYSTEM_CLOCK.nowMs() + lateMs + 60_000) };
      await controller.send('node_request', controller.request(window));
      return controller.heard('ack').some(({ status }) => status === 'accepted');
    },
    { what: 'an accepted request', deadlineMs: 40_000 },
  );
});

async function setUp(
  t: TestScope,
  { keys = 1, helloInterval = '15m' }: { keys?: number; helloInterval?: string } = {},
) {
  const broker = await startTestBroker(t);
  const directory = temporaryDirectory(t);
  const controller = await scriptController(t, broker, () => keyOfAgent(directory));
  if (keys !== 1) controller.welcomeWith({ keys: controller.keyList({ version: keys }) });
  const settings = { max_packet_bytes: 128 * 1024, hello_interval: helloInterval };
  const logs: Record<string, unknown>[] = [];
  const log = createLogger('agent', { destination: { write: (line) => void logs.push(JSON.parse(line)) } });
  const agent = await startControlledAgent(t, broker, directory, { settings, log });
  await agent.whenWelcomed;
  return { broker, directory, controller, agent, logs, nodeKey: keyOfAgent(directory) };
}

function announce(controller: ScriptedController): Record<string, unknown> {
  return { ...controller.control('announce', { capabilities: false }) };
}

function cancel(controller: ScriptedController): Record<string, unknown> {
  return { ...controller.control('cancel', { execution_id: controller.request().execution_id, reason: 'test' }) };
}

function window(fromMs: number, toMs: number) {
  const nowMs = SYSTEM_CLOCK.nowMs();
  return { issued_at: toTime(nowMs + fromMs), expires_at: toTime(nowMs + toMs) };
}

function kidOf({ broker }: World): string {
  return broker.controller.public.kid;
}

/** The same signature over another payload. */
function alter(jws: string, payload: unknown): string {
  const [header = '', , signature = ''] = jws.split('.');
  return [header, encodeBase64Url(JSON.stringify(payload)), signature].join('.');
}
