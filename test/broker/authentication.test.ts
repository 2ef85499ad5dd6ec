import assert from 'node:assert/strict';
import test from 'node:test';
import { connectAsync, type IClientOptions } from 'mqtt';
import type { BrokerClaims } from '../../protocol/broker-token.js';
import { signBrokerToken } from '../../protocol/broker-token.js';
import type { EnvelopeType } from '../../protocol/envelope.js';
import { signEnvelope } from '../../protocol/envelope.js';
import { generateKeyPair } from '../../runtime/key-file.js';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { deniedCount } from '../support/broker-metrics.js';
import { connectClient, nextMessage, refusalOf, whenClosed } from '../support/mqtt-clients.js';
import { createTestClock } from '../support/test-clock.js';

const NODE = 'pump-7';

/** A password for the node, signed as asked for. */
function password(
  broker: TestBroker,
  { signer = broker.controller, typ = 'muster-broker+jwt' as EnvelopeType, ...claims }: PasswordChange = {},
): string {
  const iat = Math.floor(Date.now() / 1000);
  const whole: BrokerClaims = { org: 'default', sub: NODE, role: 'node', groups: [], iat, exp: iat + 600, ...claims };
  if (typ === 'muster-broker+jwt') return signBrokerToken(whole, signer.signing);
  return signEnvelope(typ, JSON.stringify(whole), signer.signing);
}
type PasswordChange = Partial<BrokerClaims> & { signer?: TestBroker['controller']; typ?: EnvelopeType };

type Refused = { title: string; code: number | 'closed'; reason?: string } & {
  options: (broker: TestBroker) => IClientOptions;
};
const HOUR = 3600;
const nowSeconds = (): number => Math.floor(Date.now() / 1000);

const REFUSED: readonly Refused[] = [
  { title: 'no password', code: 4, reason: 'credentials', options: () => ({ password: '' }) },
  { title: 'a password that is no token', code: 4, reason: 'credentials', options: () => ({ password: 'hunter2' }) },
  {
    title: 'a password that a foreign key signed',
    code: 4,
    reason: 'credentials',
    options: (broker) => ({ password: password(broker, { signer: generateKeyPair() }) }),
  },
  {
    title: 'a password that has expired',
    code: 4,
    reason: 'credentials',
    options: (broker) => ({ password: password(broker, { iat: nowSeconds() - 2 * HOUR, exp: nowSeconds() - HOUR }) }),
  },
  {
    title: 'a password that lives longer than seven days',
    code: 4,
    reason: 'credentials',
    options: (broker) => ({ password: password(broker, { exp: nowSeconds() + 8 * 24 * HOUR }) }),
  },
  {
    title: 'a signed request in the place of a password',
    code: 4,
    reason: 'credentials',
    options: (broker) => ({ password: password(broker, { typ: 'muster-request' }) }),
  },
  {
    title: 'a password of another org',
    code: 4,
    reason: 'credentials',
    options: (broker) => ({ password: password(broker, { org: 'other' }) }),
  },
  {
    title: 'the client id of another node',
    code: 2,
    reason: 'client_id',
    options: () => ({ clientId: 'pump-8' }),
  },
  { title: 'another user name', code: 2, reason: 'client_id', options: () => ({ username: 'pump-8' }) },
  { title: 'an empty client id', code: 2, reason: 'client_id', options: () => ({ clientId: '' }) },
  {
    title: 'a node that is named like a controller',
    code: 2,
    reason: 'client_id',
    options: (broker) => broker.credential('node', 'ctl-a'),
  },
  {
    title: 'a controller that is named like a node',
    code: 2,
    reason: 'client_id',
    options: (broker) => broker.credential('controller', NODE),
  },
  {
    title: 'a session that is to outlive its connection',
    code: 5,
    reason: 'session',
    options: () => ({ clean: false }),
  },
  { title: 'no keep-alive', code: 5, reason: 'keep_alive', options: () => ({ keepalive: 0 }) },
  { title: 'a keep-alive of hours', code: 5, reason: 'keep_alive', options: () => ({ keepalive: 7200 }) },
  { title: 'MQTT 5', code: 1, options: () => ({ protocolVersion: 5 }) },
  ...[
    { title: 'on the status of another node', topic: 'muster/v1/default/node/pump-8/status', retain: true, qos: 1 },
    { title: 'on a request topic', topic: `muster/v1/default/node/${NODE}/request`, retain: false, qos: 1 },
    {
      title: 'that is retained on its result topic',
      topic: `muster/v1/default/node/${NODE}/result`,
      retain: true,
      qos: 1,
    },
    { title: 'with QoS 2', topic: `muster/v1/default/node/${NODE}/status`, retain: true, qos: 2 },
    { title: 'outside our topics', topic: '$SYS/broker/uptime', retain: false, qos: 0 },
  ].map(({ title, topic, retain, qos }) => ({
    title: `a Will ${title}`,
    code: 5,
    reason: 'will',
    options: (): IClientOptions => ({
      will: { topic, payload: Buffer.from('x'), retain, qos: qos === 2 ? 2 : qos === 1 ? 1 : 0 },
    }),
  })),
];

for (const { title, code, reason, options } of REFUSED) {
  test(`CONNECT is refused with ${code}: ${title}`, async (t) => {
    const broker = await startTestBroker(t);
    const own = { ...broker.credential('node', NODE), ...options(broker) };

    const refusal = await refusalOf(broker.url, own);

    assert.equal(refusal, code);
    if (reason !== undefined) assert.equal(await deniedCount(broker, reason), 1);
  });
}

test('a node, a controller and a monitor are let in with passwords of their roles', async (t) => {
  const broker = await startTestBroker(t);
  const will = {
    topic: `muster/v1/default/node/${NODE}/status`,
    payload: Buffer.from('x'),
    qos: 1,
    retain: true,
  } as const;

  await connectClient(t, broker.url, { ...broker.credential('node', NODE), will });
  await connectClient(t, broker.url, broker.credential('controller', 'ctl-a'));
  await connectClient(t, broker.url, broker.credential('monitor', 'mon-a'));

  const text = await (await fetch(`http://127.0.0.1:${broker.metricsPort}/metrics`)).text();
  assert.match(text, /^muster_broker_clients 3$/m);
});

test('a connection is closed when its password runs out, and its Will is published', async (t) => {
  const clock = createTestClock();
  const broker = await startTestBroker(t, { clock });
  const status = `muster/v1/default/node/${NODE}/status`;
  const controller = await connectClient(t, broker.url, broker.credential('controller', 'ctl-a'));
  await controller.subscribeAsync(status, { qos: 1 });
  const credential = {
    ...broker.credential('node', NODE),
    password: broker.passwordFor({ role: 'node', id: NODE, org: 'default', groups: [] }, 60),
  };
  const will = { topic: status, payload: Buffer.from('gone'), qos: 1, retain: true } as const;
  const node = await connectClient(t, broker.url, { ...credential, will });
  const [closed, told] = [whenClosed(node), nextMessage(controller)];

  clock.advance(61_000);

  await closed;
  assert.equal((await told).text, 'gone');
  assert.equal(await deniedCount(broker, 'expired'), 1);
  assert.equal(controller.connected, true);
});

test('S-M-11: a second connection with the same client id ends the first, whose Will comes before it is let in', async (t) => {
  const broker = await startTestBroker(t);
  const status = `muster/v1/default/node/${NODE}/status`;
  const controller = await connectClient(t, broker.url, broker.credential('controller', 'ctl-a'));
  await controller.subscribeAsync(status, { qos: 1 });
  const will = { topic: status, payload: Buffer.from('first is gone'), qos: 1, retain: true } as const;
  const first = await connectClient(t, broker.url, { ...broker.credential('node', NODE), will });
  const [closed, told] = [whenClosed(first), nextMessage(controller)];

  const second = await connectClient(t, broker.url, broker.credential('node', NODE));
  await closed;
  assert.equal((await told).text, 'first is gone');
  await second.publishAsync(status, 'second is here', { qos: 1, retain: true });

  const late = await connectAsync(broker.url, { ...broker.credential('controller', 'ctl-b'), reconnectPeriod: 0 });
  t.after(() => late.endAsync(true));
  const retained = nextMessage(late);
  await late.subscribeAsync(status, { qos: 1 });
  assert.equal((await retained).text, 'second is here');
  assert.equal(second.connected, true);
});

test('a DISCONNECT ends the connection without its Will', async (t) => {
  const broker = await startTestBroker(t);
  const status = `muster/v1/default/node/${NODE}/status`;
  const controller = await connectClient(t, broker.url, broker.credential('controller', 'ctl-a'));
  await controller.subscribeAsync(status, { qos: 1 });
  const will = { topic: status, payload: Buffer.from('gone'), qos: 1, retain: true } as const;
  const quiet = await connectClient(t, broker.url, { ...broker.credential('node', NODE), will });
  const told = nextMessage(controller);

  await quiet.endAsync();

  const other = await connectClient(t, broker.url, broker.credential('node', 'pump-8'));
  await other.publishAsync('muster/v1/default/node/pump-8/status', 'x', { qos: 1 }).catch(() => undefined);
  await controller.subscribeAsync('muster/v1/default/node/pump-8/status', { qos: 1 });
  await other.publishAsync('muster/v1/default/node/pump-8/status', 'marker', { qos: 1 });
  assert.equal((await told).text, 'marker');
});
