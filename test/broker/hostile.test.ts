import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { generate } from 'mqtt-packet';
import { startTestBroker, type TestBroker, type TestScope } from '../support/broker.js';
import { deniedCount } from '../support/broker-metrics.js';
import { connectClient } from '../support/mqtt-clients.js';
import { connectPacket, connectRaw, openRaw } from '../support/raw-mqtt.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;
/** CONNECT and PUBLISH with the longest length that MQTT can announce: 256 MB. */
const GIANT_CONNECT = Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f]);
const GIANT_PUBLISH = Buffer.from([0x32, 0xff, 0xff, 0xff, 0x7f]);

async function assertServes(t: TestScope, broker: TestBroker): Promise<void> {
  const client = await connectClient(
    t,
    broker.url,
    broker.credential('node', `survivor-${Math.trunc(Math.random() * 1e9)}`),
  );
  await client.subscribeAsync(`muster/v1/default/fleet/request`, { qos: 1 });
}

test('four unknown sockets that announce 256 MB are closed before they are buffered', async (t) => {
  const broker = await startTestBroker(t);
  const before = process.memoryUsage().rss;

  const sockets = await Promise.all(Array.from({ length: 4 }, () => openRaw(t, broker.port)));
  for (const raw of sockets) {
    raw.send(GIANT_CONNECT);
    for (let sent = 0; sent < 64; sent += 1) raw.send(Buffer.alloc(MIB / 16));
  }
  await Promise.all(sockets.map(({ closed }) => closed));

  assert.ok(process.memoryUsage().rss - before < 64 * MIB);
  assert.equal(await deniedCount(broker, 'packet_size'), 4);
  await assertServes(t, broker);
});

test('before the password is checked a packet has at most 4 KiB, also when it comes a byte at a time', async (t) => {
  const broker = await startTestBroker(t);
  const raw = await openRaw(t, broker.port);

  for (const byte of [0x10, 0x81, 0x20]) raw.socket.write(Buffer.from([byte])); // 4097

  await raw.closed;
  assert.equal(await deniedCount(broker, 'packet_size'), 1);
});

test('a CONNECT that ends in a large packet of the same chunk is closed', async (t) => {
  const broker = await startTestBroker(t);
  const raw = await openRaw(t, broker.port);

  raw.send(Buffer.concat([generate(connectPacket(broker.credential('node', 'pump-7'))), GIANT_PUBLISH]));

  await raw.closed;
});

test('an admitted client may send max_packet_bytes and not a byte more', async (t) => {
  const broker = await startTestBroker(t, { config: { max_packet_bytes: 16_384 } });
  const topic = 'muster/v1/default/node/pump-7/output';
  const payload = Buffer.alloc(16_384 - 2 - Buffer.byteLength(topic) - 2, 'x');
  const publish = { cmd: 'publish', topic, qos: 1, messageId: 3, dup: false, retain: false } as const;
  const raw = await connectRaw(t, broker.port, broker.credential('node', 'pump-7'));

  raw.send({ ...publish, payload });
  await raw.next('puback');
  raw.send({ ...publish, payload: Buffer.concat([payload, Buffer.from('x')]) });

  await raw.closed;
  assert.equal(await deniedCount(broker, 'packet_size'), 1);
});

test('a length of five bytes is refused [MQTT-2.2.3]', async (t) => {
  const broker = await startTestBroker(t);
  const raw = await connectRaw(t, broker.port, broker.credential('node', 'pump-7'));

  raw.send(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80, 0x00]));

  await raw.closed;
  assert.equal(await deniedCount(broker, 'packet_size'), 1);
});

test('a socket that says nothing is closed after connect_timeout', async (t) => {
  const broker = await startTestBroker(t, { config: { connect_timeout: '200ms' } });
  const silent = await openRaw(t, broker.port);
  const halfway = await openRaw(t, broker.port);

  halfway.send(generate(connectPacket(broker.credential('node', 'pump-7'))).subarray(0, 20));

  await Promise.all([silent.closed, halfway.closed]);
});

test('a packet before CONNECT, and a second CONNECT, close the connection', async (t) => {
  const broker = await startTestBroker(t);
  const early = await openRaw(t, broker.port);
  const twice = await connectRaw(t, broker.port, broker.credential('node', 'pump-7'));

  early.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 0 }] });
  twice.send(connectPacket(broker.credential('node', 'pump-7')));

  await Promise.all([early.closed, twice.closed]);
});

test('connections past max_connections_per_ip and max_connections are closed, and a freed place is given again', async (t) => {
  for (const config of [{ max_connections_per_ip: 2 }, { max_connections: 2 }]) {
    const broker = await startTestBroker(t, { config });
    const first = await openRaw(t, broker.port);
    await openRaw(t, broker.port);

    const third = await openRaw(t, broker.port);
    await third.closed;
    assert.equal(await deniedCount(broker, 'connections'), 1);

    first.socket.destroy();
    await until(async () => (await admits(t, broker)) === true, { what: 'the freed place' });
  }
});

async function admits(t: TestScope, broker: TestBroker): Promise<boolean> {
  const raw = await openRaw(t, broker.port);
  raw.send(connectPacket(broker.credential('node', 'pump-7')));
  return raw.next('connack').then(
    () => true,
    () => false,
  );
}

test('no bytes bring the broker down: damaged packets, before and after CONNECT', async (t) => {
  const broker = await startTestBroker(t, { config: { connect_timeout: '1s' } });
  const own = 'muster/v1/default/node/pump-7';
  const connect = generate(connectPacket(broker.credential('node', 'pump-7')));
  const packets = [
    generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: `${own}/request`, qos: 1 }] }),
    generate({ cmd: 'publish', topic: `${own}/result`, payload: 'x', qos: 1, messageId: 2, dup: false, retain: false }),
    generate({ cmd: 'unsubscribe', messageId: 3, unsubscriptions: [`${own}/request`] }),
    generate({ cmd: 'puback', messageId: 4 }),
    generate({ cmd: 'pubrel', messageId: 5 }),
    generate({ cmd: 'pingreq' }),
    connect,
  ];
  const damaged = fc
    .tuple(fc.shuffledSubarray(packets), fc.array(fc.tuple(fc.nat(300), fc.nat(255)), { maxLength: 4 }))
    .map(([chosen, damages]) => {
      const bytes = Buffer.concat(chosen);
      for (const [at, value] of damages) if (at < bytes.length) bytes[at] = value;
      return bytes;
    });
  const hostile = fc.oneof(damaged, fc.uint8Array({ maxLength: 200 }).map(Buffer.from));

  await fc.assert(
    fc.asyncProperty(fc.boolean(), hostile, async (admitted, bytes) => {
      const raw = await openRaw(t, broker.port);
      raw.send(admitted ? Buffer.concat([connect, bytes]) : bytes);
      raw.socket.end();
      await raw.closed;
    }),
    { numRuns: 400 },
  );

  await assertServes(t, broker);
});
