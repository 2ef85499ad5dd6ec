import assert from 'node:assert/strict';
import test from 'node:test';
import type { MqttClient } from 'mqtt';
import { generate } from 'mqtt-packet';
import { startTestBroker, type TestBroker, type TestScope } from '../../support/broker.js';
import { connectClient, grantsOf, type Received } from '../../support/mqtt-clients.js';
import { connectRaw } from '../../support/raw-mqtt.js';
import { until } from '../../support/until.js';
import { seededRandom } from '../random.js';
import { drawFates, type Fate, type SeenMessage, UNHARMED } from './fates.js';
import { type FaultProxy, startFaultProxy } from './fault-proxy.js';

const BASE = 'muster/v1/default';
const RESULT = `${BASE}/node/pump-7/result`;
const LOST: Fate = { ...UNHARMED, deliverAfterMs: [] };

/** A broker behind a proxy, and a controller that listens to all results without one. */
async function startFaultyBroker(
  t: TestScope,
  random = seededRandom('1'),
): Promise<{
  broker: TestBroker;
  proxy: FaultProxy;
  heard: Received[];
  texts: () => string[];
  node: () => Promise<MqttClient>;
}> {
  const broker = await startTestBroker(t);
  const proxy = await startFaultProxy({
    brokerPort: () => broker.port,
    decide: () => UNHARMED,
    random,
  });
  t.after(proxy.stop);
  const controller = await connectClient(t, broker.url, broker.credential('controller', 'ctl-a'));
  const heard: Received[] = [];
  controller.on('message', (topic, payload, { qos, retain }) => {
    heard.push({ topic, text: payload.toString(), qos, retain });
  });
  assert.deepEqual(await grantsOf(controller, [`${BASE}/node/+/result`]), [1]);
  return {
    ...{ broker, proxy, heard },
    texts: () => heard.map(({ text }) => text),
    node: () => connectClient(t, proxy.url, broker.credential('node', 'pump-7')),
  };
}

/** Gives the first message that goes to the broker this fate, and harms none after it. */
function harmFirst(proxy: FaultProxy, fate: Fate): void {
  let isFirst = true;
  proxy.decideBy(({ direction }) => {
    if (!isFirst || direction !== 'to_broker') return UNHARMED;
    isFirst = false;
    return fate;
  });
}

test('what no fault befalls comes once, and each end is acknowledged', async (t) => {
  const { proxy, node, texts } = await startFaultyBroker(t);
  const client = await node();

  await Promise.all(['a', 'b', 'c'].map((text) => client.publishAsync(RESULT, text, { qos: 1 })));

  await until(() => texts().length === 3, { what: 'three messages' });
  assert.deepEqual(texts(), ['a', 'b', 'c']);
  assert.deepEqual(proxy.counts(), { passed: 3, lost: 0, repeated: 0, delayed: 0, replayed: 0, cut: 0, frozen: 0 });
});

test('a lost message is acknowledged, and nobody gets it', async (t) => {
  const { proxy, node, texts } = await startFaultyBroker(t);
  const client = await node();
  harmFirst(proxy, LOST);

  await client.publishAsync(RESULT, 'lost', { qos: 1 });
  await client.publishAsync(RESULT, 'after', { qos: 1 });

  await until(() => texts().length > 0, { what: 'the message after it' });
  assert.deepEqual(texts(), ['after']);
});

test('a repeated message comes twice and is acknowledged once', async (t) => {
  const { broker, proxy, texts } = await startFaultyBroker(t);
  const raw = await connectRaw(t, proxy.port, broker.credential('node', 'pump-7'));
  harmFirst(proxy, { ...UNHARMED, deliverAfterMs: [0, 1] });

  for (const [messageId, payload] of [
    [7, 'twice'],
    [9, 'once'],
  ] as const) {
    raw.send({ cmd: 'publish', topic: RESULT, payload, qos: 1, messageId, dup: false, retain: false });
    assert.equal((await raw.next('puback')).messageId, messageId);
  }

  await until(() => texts().length === 3, { what: 'three messages' });
  assert.deepEqual(texts().sort(), ['once', 'twice', 'twice']);
});

test('a delayed message is overtaken by the next', async (t) => {
  const { proxy, node, texts } = await startFaultyBroker(t);
  const client = await node();
  harmFirst(proxy, { ...UNHARMED, deliverAfterMs: [50] });

  await Promise.all(['early', 'late'].map((text) => client.publishAsync(RESULT, text, { qos: 1 })));

  await until(() => texts().length === 2, { what: 'both messages' });
  assert.deepEqual(texts(), ['late', 'early']);
});

test('a message of an earlier connection comes again, also one that was lost then', async (t) => {
  const { proxy, node, texts } = await startFaultyBroker(t);
  const earlier = await node();
  harmFirst(proxy, LOST);
  await earlier.publishAsync(RESULT, 'old', { qos: 1 });
  await earlier.endAsync();
  harmFirst(proxy, { ...UNHARMED, replays: 1 });

  const later = await node();
  await later.publishAsync(RESULT, 'new', { qos: 1 });

  await until(() => texts().length === 2, { what: 'both messages' });
  assert.deepEqual(texts(), ['old', 'new']);
});

test('a cut tears a packet in its middle, nothing follows it, and both ends learn of it', async (t) => {
  const { broker, proxy, texts } = await startFaultyBroker(t, () => 0.99); // torn right before its end
  const raw = await connectRaw(t, proxy.port, broker.credential('node', 'pump-7'));
  harmFirst(proxy, { ...UNHARMED, link: 'cut' });
  const publish = (payload: string): Buffer =>
    generate({ cmd: 'publish', topic: RESULT, payload, qos: 0, dup: false, retain: false });

  raw.send(Buffer.concat([publish('torn'), publish('not taken for the rest of it '.repeat(10))]));
  await raw.closed;

  const again = await connectClient(t, broker.url, broker.credential('node', 'pump-7'));
  await again.publishAsync(RESULT, 'whole', { qos: 1 });
  await until(() => texts().includes('whole'), { what: 'the message after it' });
  assert.deepEqual(texts(), ['whole']);
});

test('on a frozen link nothing passes, and neither end is told that the other gave up', async (t) => {
  const { broker, proxy, texts } = await startFaultyBroker(t);
  const raw = await connectRaw(t, proxy.port, broker.credential('node', 'pump-7'));
  let isClosed = false;
  void raw.closed.then(() => {
    isClosed = true;
  });
  harmFirst(proxy, { ...UNHARMED, link: 'frozen' });

  raw.send({ cmd: 'publish', topic: RESULT, payload: 'swallowed', qos: 1, messageId: 1, dup: false, retain: false });
  await until(() => proxy.counts().frozen === 1, { what: 'the freeze' });
  // Another connection under the same name makes the broker end its side of this one.
  const successor = await connectClient(t, broker.url, broker.credential('node', 'pump-7'));
  await successor.publishAsync(RESULT, 'heard', { qos: 1 });

  await until(() => texts().includes('heard'), { what: 'the message of the successor' });
  assert.deepEqual(texts(), ['heard']);
  assert.equal(isClosed, false);
});

test('whatever befalls messages both ways, every publish and subscribe gets its own acknowledgement', async (t) => {
  const { proxy, node, texts } = await startFaultyBroker(t);
  const client = await node();
  const rates = { lose: 0.2, repeat: 0.2, overtake: 0.3, delay: 0.1, replay: 0.2, cut: 0, freeze: 0, longestMs: 300 };
  proxy.decideBy(drawFates(seededRandom('7'), rates));

  const sent = Array.from({ length: 200 }, (_, number) => `message ${number}`);
  const grants = client.subscribeAsync(`${BASE}/node/pump-7/request`, { qos: 1 });
  await Promise.all(sent.map((text) => client.publishAsync(RESULT, text, { qos: 1 })));
  assert.deepEqual(await grants, [{ topic: `${BASE}/node/pump-7/request`, qos: 1 }]);

  const { passed, lost, repeated, delayed, replayed } = proxy.counts();
  assert.equal(passed + lost + repeated + delayed, sent.length);
  await until(() => texts().length === sent.length - lost + repeated + replayed, { what: 'all that was delivered' });
  assert.ok(new Set(texts()).size >= sent.length - lost);
  assert.ok(Math.min(lost, repeated, delayed, replayed) > 10, JSON.stringify(proxy.counts()));
});

test('the same seed draws the same fates', () => {
  const rates = {
    lose: 0.2,
    repeat: 0.2,
    overtake: 0.2,
    delay: 0.2,
    replay: 0.2,
    cut: 0.1,
    freeze: 0.1,
    longestMs: 900,
  };
  const message: SeenMessage = { direction: 'to_client', clientId: 'a', topic: RESULT, payload: Buffer.alloc(0) };
  const draw = (seed: number): Fate[] => {
    const decide = drawFates(seededRandom(String(seed)), rates);
    return Array.from({ length: 100 }, () => decide(message));
  };

  assert.deepEqual(draw(3), draw(3));
  assert.notDeepEqual(draw(3), draw(4));
});
