import assert from 'node:assert/strict';
import test from 'node:test';
import { generate } from 'mqtt-packet';
import { withDeadline } from '../../runtime/deadline.js';
import { startTestBroker } from '../support/broker.js';
import { brokerMetric, deniedCount } from '../support/broker-metrics.js';
import { connectClient, grantsOf } from '../support/mqtt-clients.js';
import { connectRaw } from '../support/raw-mqtt.js';
import { until } from '../support/until.js';

const BASE = 'muster/v1/default';
const CHUNK = Buffer.alloc(64 * 1024, 'x');

test('S-M-16: a node that stops reading holds back nobody, and is disconnected when too much waits for it', async (t) => {
  const broker = await startTestBroker(t, { config: { drain_timeout: '1h' } });
  const frozen = await connectRaw(t, broker.port, broker.credential('node', 'frozen'));
  frozen.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: `${BASE}/node/frozen/request`, qos: 1 }] });
  await frozen.next('suback');
  frozen.socket.pause();
  const lively = await connectClient(t, broker.url, broker.credential('node', 'lively'));
  assert.deepEqual(await grantsOf(lively, [`${BASE}/node/lively/request`]), [1]);
  let received = 0;
  lively.on('message', () => {
    received += 1;
  });
  const controller = await connectClient(t, broker.url, broker.credential('controller', 'ctl-a'));

  let sent = 0;
  const cut = async (): Promise<boolean> => ((await deniedCount(broker, 'slow')) ?? 0) > 0;
  while (!(await cut())) {
    await controller.publishAsync(`${BASE}/node/frozen/request`, CHUNK, { qos: 1 });
    await controller.publishAsync(`${BASE}/node/lively/request`, 'small', { qos: 1 });
    sent += 1;
    assert.ok(sent < 1000, 'the frozen node is disconnected before 64 MB wait for it');
  }

  await until(() => received === sent, { what: 'every message to the lively node' });
});

test('a controller that stops reading holds its publishers back until drain_timeout, then it is disconnected', async (t) => {
  const broker = await startTestBroker(t, { config: { drain_timeout: '300ms' } });
  const frozen = await connectRaw(t, broker.port, broker.credential('controller', 'ctl-frozen'));
  frozen.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: `${BASE}/node/+/output`, qos: 1 }] });
  await frozen.next('suback');
  frozen.socket.pause();
  const node = await connectClient(t, broker.url, broker.credential('node', 'pump-7'));

  let sent = 0;
  while ((await brokerMetric(broker, 'muster_broker_clients')) === 2) {
    await node.publishAsync(`${BASE}/node/pump-7/output`, CHUNK, { qos: 1 });
    sent += 1;
    assert.ok(sent < 1000, 'the frozen controller is disconnected before 64 MB wait for it');
  }

  assert.equal(node.connected, true);
  await node.publishAsync(`${BASE}/node/pump-7/output`, 'after', { qos: 1 });
});

test('a node above max_in_rate is read more slowly and loses nothing', async (t) => {
  const perSecond = 50;
  const broker = await startTestBroker(t, { config: { max_in_rate: perSecond } });
  const controller = await connectClient(t, broker.url, broker.credential('controller', 'ctl-a'));
  const order: string[] = [];
  controller.on('message', (_, payload) => order.push(payload.toString()));
  await controller.subscribeAsync(`${BASE}/node/+/result`, { qos: 1 });
  const node = await connectClient(t, broker.url, broker.credential('node', 'pump-7'));
  const texts = Array.from({ length: 3 * perSecond }, (_, index) => `${index}`);
  const startedMs = performance.now();

  await Promise.all(texts.map((text) => node.publishAsync(`${BASE}/node/pump-7/result`, text, { qos: 1 })));
  await until(() => order.length === texts.length, { what: 'every message' });

  assert.deepEqual(order, texts);
  assert.ok(performance.now() - startedMs > 900, 'the third second of messages comes a second after the burst');
});

test('a controller is not held to max_in_rate', async (t) => {
  const broker = await startTestBroker(t, { config: { max_in_rate: 1 } });
  const controller = await connectClient(t, broker.url, broker.credential('controller', 'ctl-a'));

  const publishes = Array.from({ length: 500 }, () =>
    controller.publishAsync(`${BASE}/fleet/request`, 'x', { qos: 1 }),
  );

  await withDeadline(Promise.all(publishes), 10_000, 'what would take a node eight minutes');
});

test('a throttled node that leaves takes what waits with it', async (t) => {
  const timers = (): number => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
  const before = timers();
  const broker = await startTestBroker(t, { config: { max_in_rate: 1 } });
  const raw = await connectRaw(t, broker.port, broker.credential('node', 'pump-7'));
  const publish = {
    cmd: 'publish',
    topic: `${BASE}/node/pump-7/ack`,
    payload: 'x',
    dup: false,
    retain: false,
  } as const;
  const flood = Array.from({ length: 200 }, (_, index) => generate({ ...publish, qos: 1, messageId: index + 1 }));
  raw.send(Buffer.concat(flood)); // one chunk: all of it waits at once
  await raw.next('puback');

  raw.socket.destroy();
  await broker.stop();

  await until(() => timers() <= before, { what: 'no timer is left' });
});
