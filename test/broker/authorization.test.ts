import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import test from 'node:test';
import { Aedes, type AedesPublishPacket } from 'aedes';
import type { MqttClient } from 'mqtt';
import { createClients } from '../../broker/clients.js';
import { BrokerConfig } from '../../broker/config.js';
import { createBrokerMetrics } from '../../broker/metrics.js';
import { createRules } from '../../broker/rules.js';
import { guardStream } from '../../broker/stream-guard.js';
import { denialOf, type Principal } from '../../protocol/authorization.js';
import { TOPICS, type TopicKind, topicFilter, topicName } from '../../protocol/topics.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { startTestBroker, type TestBroker, type TestScope } from '../support/broker.js';
import { brokerMetric, deniedCount } from '../support/broker-metrics.js';
import { connectClient, grantsOf, nextMessage, type Received, whenClosed } from '../support/mqtt-clients.js';
import { connectRaw } from '../support/raw-mqtt.js';
import { until } from '../support/until.js';

const PREFIX = 'muster/v1';
const scope = { prefix: PREFIX, org: 'default' };
const KINDS = Object.keys(TOPICS) as TopicKind[];
const PRINCIPALS: readonly Principal[] = [
  { role: 'node', id: 'pump-7', org: 'default', groups: ['pumps'] },
  { role: 'controller', id: 'ctl-a', org: 'default', groups: [] },
  { role: 'monitor', id: 'mon-a', org: 'default', groups: [] },
];
/** The node's own levels, and those of others. */
const LEVELS = [
  { node: 'pump-7', group: 'pumps', terminal: 't1' },
  { node: 'pump-8', group: 'valves', terminal: 't1' },
] as const;
const TARGETS = KINDS.flatMap((kind) => LEVELS.map((levels) => ({ kind, topic: topicName(scope, kind, levels) })));

/** A controller that sees whatever passes in the org, by payload. */
async function startObserver(t: TestScope, broker: TestBroker): Promise<Map<string, Received>> {
  const observer = await connectClient(t, broker.url, broker.credential('controller', 'ctl-observer'));
  const seen = new Map<string, Received>();
  observer.on('message', (topic, payload, { qos, retain }) =>
    seen.set(payload.toString(), { topic, text: payload.toString(), qos, retain }),
  );
  await observer.subscribeAsync(`${PREFIX}/default/#`, { qos: 1 });
  return seen;
}

for (const principal of PRINCIPALS) {
  test(`a ${principal.role} publishes on the running broker what the table lets it, on every topic`, async (t) => {
    const broker = await startTestBroker(t, { config: { max_in_rate: 10_000 } });
    const seen = await startObserver(t, broker);
    const credential = broker.credential(principal.role, principal.id, principal.groups);
    let client: MqttClient | undefined;

    for (const { topic } of TARGETS) {
      for (const [qos, retain] of [
        [0, false],
        [1, false],
        [1, true],
      ] as const) {
        client = client?.connected ? client : await connectClient(t, broker.url, credential);
        const payload = `${topic} ${qos} ${retain}`;
        const denial = denialOf(principal, PREFIX, { operation: 'publish', topic, qos, retain });

        client.publish(topic, payload, { qos, retain });

        if (denial === undefined) await until(() => seen.has(payload), { what: `${payload} is delivered` });
        else await whenClosed(client);
        assert.equal(client.connected, denial === undefined, payload);
        assert.equal(seen.has(payload), denial === undefined, payload);
      }
    }
  });

  test(`a ${principal.role} is granted on the running broker the filters that the table lets it have`, async (t) => {
    const broker = await startTestBroker(t);
    const client = await connectClient(
      t,
      broker.url,
      broker.credential(principal.role, principal.id, principal.groups),
    );
    const filters = [
      ...TARGETS.map(({ topic }) => topic),
      ...KINDS.map((kind) => topicFilter(scope, kind)),
      ...KINDS.map((kind) => topicFilter(scope, kind, { node: 'pump-7' })),
      ...[
        '#',
        '+/#',
        `${PREFIX}/#`,
        `${PREFIX}/default/#`,
        `${PREFIX}/default/node/#`,
        `${PREFIX}/default/node/pump-7/#`,
      ],
      ...['$SYS/#', '$SYS/broker/uptime', '$void', `$share/g/${PREFIX}/default/node/pump-7/request`],
    ];

    for (const filter of filters) {
      for (const qos of [0, 1, 2] as const) {
        const denial = denialOf(principal, PREFIX, { operation: 'subscribe', filter, qos });
        assert.deepEqual(await grantsOf(client, [filter], qos), [denial === undefined ? qos : 128], `${filter} ${qos}`);
        if (denial === undefined) await client.unsubscribeAsync(filter);
      }
    }
  });

  test(`a ${principal.role} is handed only what the table lets it receive, also past its filters`, async (t) => {
    const config = BrokerConfig.parse({});
    const clients = createClients();
    const metrics = createBrokerMetrics({ clients: () => 0 });
    const noKey = (): undefined => undefined;
    const open = { keyOf: noKey, isRevoked: () => false, deny: () => undefined };
    const rules = createRules({ config, clients, metrics, clock: SYSTEM_CLOCK, ...open });
    const aedes = await Aedes.createBroker();
    t.after(() => new Promise<void>((closed) => aedes.close(closed)));
    const stream = new PassThrough();
    const client = aedes.handle(stream);
    t.after(() => client.close());
    clients.add(client, { address: '', guard: guardStream(stream, { onViolation: () => undefined }) });
    const record = clients.of(client);
    if (record !== undefined) record.admission = { principal, expiresAtMs: 0, kid: '', nodeKey: undefined };

    for (const { topic } of TARGETS) {
      const packet = {
        cmd: 'publish',
        topic,
        payload: '',
        qos: 1,
        dup: false,
        retain: false,
        brokerId: '',
        brokerCounter: 1,
      };
      const handed = rules.authorizeForward(client, packet as AedesPublishPacket) ?? undefined;
      const denial = denialOf(principal, PREFIX, { operation: 'receive', topic });
      assert.equal(handed === undefined, denial !== undefined, topic);
    }
  });
}

test('S-M-6: a node that publishes for another node is acknowledged, reaches nobody and is disconnected', async (t) => {
  const broker = await startTestBroker(t);
  const seen = await startObserver(t, broker);
  const raw = await connectRaw(t, broker.port, broker.credential('node', 'pump-7'));

  raw.send({ ...PUBLISH, topic: `${PREFIX}/default/node/pump-8/result`, payload: 'forged', qos: 1, messageId: 7 });

  const puback = await raw.next('puback');
  assert.equal(puback.messageId, 7);
  await raw.closed;
  assert.equal(seen.has('forged'), false);
  assert.equal(await deniedCount(broker, 'role'), 1);
});

test('a client that publishes what is refused gets past it after a reconnect', async (t) => {
  const broker = await startTestBroker(t);
  const seen = await startObserver(t, broker);
  const stubborn = await connectClient(t, broker.url, { ...broker.credential('node', 'pump-7'), reconnectPeriod: 10 });
  const own = `${PREFIX}/default/node/pump-7/result`;

  stubborn.publish(`${PREFIX}/default/node/pump-8/result`, 'forged', { qos: 1 });
  await whenClosed(stubborn);
  await until(() => stubborn.connected, { what: 'the reconnect' });
  await stubborn.publishAsync(own, 'honest', { qos: 1 });

  await until(() => seen.has('honest'), { what: 'the honest message' });
  assert.equal(seen.has('forged'), false);
  assert.equal(await deniedCount(broker, 'role'), 1);
});

test('a PUBLISH with QoS 2 is neither acknowledged nor delivered, and the connection is closed', async (t) => {
  const broker = await startTestBroker(t);
  const seen = await startObserver(t, broker);
  const raw = await connectRaw(t, broker.port, broker.credential('node', 'pump-7'));
  const got: string[] = [];
  raw.socket.on('data', (chunk) => got.push(chunk.toString('hex')));

  raw.send({ ...PUBLISH, topic: `${PREFIX}/default/node/pump-7/result`, payload: 'twice', qos: 2, messageId: 7 });

  await raw.closed;
  assert.deepEqual(got, []);
  assert.equal(seen.has('twice'), false);
  assert.equal(await deniedCount(broker, 'qos'), 1);
});

test('S-M-6: of several filters in one SUBSCRIBE only the refused ones are answered with 128', async (t) => {
  const broker = await startTestBroker(t);
  const node = await connectClient(t, broker.url, broker.credential('node', 'pump-7', ['pumps']));
  const base = `${PREFIX}/default`;

  const granted = await grantsOf(node, [
    `${base}/node/pump-7/request`,
    `${base}/node/pump-8/request`,
    `${base}/group/pumps/request`,
    `${base}/group/valves/request`,
  ]);

  assert.deepEqual(granted, [1, 128, 1, 128]);
  const controller = await connectClient(t, broker.url, broker.credential('controller', 'ctl-a'));
  const told = nextMessage(node);
  await controller.publishAsync(`${base}/group/valves/request`, 'for others', { qos: 1 });
  await controller.publishAsync(`${base}/group/pumps/request`, 'for us', { qos: 1 });
  assert.equal((await told).text, 'for us');
});

test('a client holds at most 64 filters', async (t) => {
  const broker = await startTestBroker(t);
  const node = await connectClient(t, broker.url, broker.credential('node', 'pump-7'));
  const filters = Array.from({ length: 65 }, (_, index) => `${PREFIX}/default/node/pump-7/terminal/t${index}/in`);

  const granted = await grantsOf(node, filters);

  assert.deepEqual(granted, [...Array.from({ length: 64 }, () => 1), 128]);
  await node.unsubscribeAsync(filters[0] ?? '');
  assert.deepEqual(await grantsOf(node, [filters[64] ?? '']), [1]);
});

test('only status is retained: a later controller gets the last one, and an empty one forgets it', async (t) => {
  const broker = await startTestBroker(t);
  const status = `${PREFIX}/default/node/pump-7/status`;
  const node = await connectClient(t, broker.url, broker.credential('node', 'pump-7'));
  await node.publishAsync(status, 'old', { qos: 1, retain: true });
  await node.publishAsync(status, 'new', { qos: 1, retain: true });

  for (const [index, filter] of [status, `${PREFIX}/default/node/+/status`, `${PREFIX}/default/#`].entries()) {
    const late = await connectClient(t, broker.url, broker.credential('controller', `ctl-${index}`));
    const told = nextMessage(late);
    await late.subscribeAsync(filter, { qos: 1 });
    assert.deepEqual(await told, { topic: status, text: 'new', retain: true, qos: 1 });
  }

  await node.publishAsync(status, '', { qos: 1, retain: true });
  const last = await connectClient(t, broker.url, broker.credential('controller', 'ctl-last'));
  const told = nextMessage(last);
  await last.subscribeAsync(status, { qos: 1 });
  await node.publishAsync(status, 'marker', { qos: 1 });
  assert.equal((await told).text, 'marker');
});

test('messages are counted as they come in and as they go out', async (t) => {
  const broker = await startTestBroker(t);
  const seen = await startObserver(t, broker);
  const node = await connectClient(t, broker.url, broker.credential('node', 'pump-7'));

  await node.publishAsync(`${PREFIX}/default/node/pump-7/ack`, 'one', { qos: 1 });
  await node.publishAsync(`${PREFIX}/default/node/pump-7/ack`, 'two', { qos: 1 });

  await until(() => seen.has('two'), { what: 'both messages' });
  assert.equal(await brokerMetric(broker, 'muster_broker_messages_total{direction="in"}'), 2);
  assert.equal(await brokerMetric(broker, 'muster_broker_messages_total{direction="out"}'), 2);
});

const PUBLISH = { cmd: 'publish', dup: false, retain: false } as const;
