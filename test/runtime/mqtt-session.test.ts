import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Socket } from 'node:net';
import test from 'node:test';
import { topicFilter } from '../../protocol/topics.js';
import { createLogger } from '../../runtime/logger.js';
import {
  type IncomingMessage,
  type MqttSession,
  type MqttSessionOptions,
  startMqttSession,
} from '../../runtime/mqtt-session.js';
import { assertRejectsCode, assertThrowsCode } from '../support/assert-code.js';
import { startTestBroker, type TestScope } from '../support/broker.js';
import { startLink } from '../support/link.js';
import { type AnyBroker, startMosquitto } from '../support/mosquitto.js';
import { connectClient, nextMessage } from '../support/mqtt-clients.js';
import { until } from '../support/until.js';

const scope = { prefix: 'muster/v1', org: 'default' };
const NODE = { node: 'pump-7' };
const STATUS = topicFilter(scope, 'status', NODE);
const REQUESTS = topicFilter(scope, 'node_request', NODE);
const silent = createLogger('test', { level: 'silent' });

/** What a session has told its owner. */
type Told = { connections: number[]; ends: string[]; messages: IncomingMessage[]; foreign: string[] };

/** The session of a node, stopped after the test. It comes back within moments, unless the test sets `random`. */
function startSession(
  t: TestScope,
  broker: Pick<AnyBroker, 'url' | 'credential'>,
  options: Partial<MqttSessionOptions> = {},
): { session: MqttSession; told: Told } {
  const told: Told = { connections: [], ends: [], messages: [], foreign: [] };
  const session = startMqttSession({
    url: broker.url,
    clientId: NODE.node,
    scope,
    keepAliveSeconds: 30,
    credentials: () => broker.credential('node', NODE.node),
    filters: () => [REQUESTS],
    onConnect: (connection) => told.connections.push(connection),
    onDisconnect: (reason) => told.ends.push(reason),
    onMessage: (message) => {
      told.messages.push(message);
    },
    onForeignTopic: (topic) => told.foreign.push(topic),
    log: silent,
    random: () => 0.01,
    ...options,
  });
  t.after(session.stop);
  return { session, told };
}

const whenConnected = (session: MqttSession, times = 1): Promise<boolean> =>
  until(() => session.connected && session.connection >= times, { what: `connection ${times}` });

const BROKERS: readonly [string, (t: TestScope) => Promise<AnyBroker | undefined>][] = [
  ['our broker', startTestBroker],
  ['Mosquitto', startMosquitto],
];

for (const [make, start] of BROKERS) {
  const withBroker = (title: string, run: (t: TestScope, broker: AnyBroker) => Promise<void>): void => {
    test(`${make}: ${title}`, async (t) => {
      const broker = await start(t);
      if (broker === undefined) return t.skip(`${make} is not installed`);
      await run(t, broker);
    });
  };

  withBroker('after a restart of the broker the session comes back with its filters', async (t, broker) => {
    const { session, told } = startSession(t, broker);
    await whenConnected(session);

    await broker.stop();
    await until(() => told.ends.length === 1, { what: 'the end is told' });
    await assertRejectsCode(session.publish('ack', NODE, 'x'), 'not_connected');
    await broker.restart();
    await whenConnected(session, 2);

    assert.deepEqual(told.connections, [1, 2]);
    const controller = await connectClient(t, broker.url, broker.credential('controller', 'ctl-a'));
    await controller.publishAsync(REQUESTS, 'work', { qos: 1 });
    const [message] = await until(() => told.messages.length > 0 && told.messages, { what: 'the request' });
    assert.deepEqual(message, { kind: 'node_request', levels: NODE, payload: Buffer.from('work') });
  });

  withBroker('the Will goes out when the connection is torn, with the number of that connection', async (t, broker) => {
    const controller = await connectClient(t, broker.url, broker.credential('controller', 'ctl-a'));
    await controller.subscribeAsync(STATUS, { qos: 1 });
    const { session } = startSession(t, broker, {
      will: (connection) => ({ kind: 'status', levels: NODE, body: `lost ${connection}` }),
    });

    for (const connection of [1, 2]) {
      await whenConnected(session, connection);
      const told = nextMessage(controller);
      session.reconnect();
      assert.deepEqual(await told, { topic: STATUS, text: `lost ${connection}`, retain: false, qos: 1 });
    }
  });

  withBroker('a stopped session leaves no Will and does not come back', async (t, broker) => {
    const controller = await connectClient(t, broker.url, broker.credential('controller', 'ctl-a'));
    await controller.subscribeAsync(STATUS, { qos: 1 });
    const { session, told } = startSession(t, broker, {
      will: () => ({ kind: 'status', levels: NODE, body: 'lost' }),
    });
    await whenConnected(session);
    const next = nextMessage(controller);

    await session.publish('status', NODE, 'stopping');
    assert.equal((await next).text, 'stopping');
    const last = nextMessage(controller);
    await session.stop();
    const other = await connectClient(t, broker.url, broker.credential('node', NODE.node));
    await other.publishAsync(STATUS, 'marker', { qos: 1 });

    assert.equal((await last).text, 'marker');
    assert.deepEqual([session.connected, told.connections], [false, [1]]);
    await assertRejectsCode(session.publish('ack', NODE, 'x'), 'not_connected');
  });

  withBroker('QoS and retain of what it publishes come from the topic table', async (t, broker) => {
    const { session } = startSession(t, broker);
    await whenConnected(session);

    await session.publish('status', NODE, 'online');

    const late = await connectClient(t, broker.url, broker.credential('controller', 'ctl-a'));
    const retained = nextMessage(late);
    await late.subscribeAsync(STATUS, { qos: 1 });
    assert.deepEqual(await retained, { topic: STATUS, text: 'online', retain: true, qos: 1 });
    assertThrowsCode(() => session.publish('ack', { node: '+' }, 'x'), 'topic_invalid');
  });

  withBroker('a publish that is under way when the link breaks rejects with not_connected', async (t, broker) => {
    const link = await startLink(t, broker.port);
    const { session, told } = startSession(t, { ...broker, url: link.url });
    await whenConnected(session);
    link.mute();

    const publishes = ['one', 'two'].map((body) =>
      assertRejectsCode(session.publish('ack', NODE, body), 'not_connected'),
    );
    link.cut();

    await Promise.all(publishes);
    assert.equal(told.ends.length, 1);
    await whenConnected(session, 2);
    await session.publish('ack', NODE, 'three');
  });

  withBroker('a dead link is noticed by the keep-alive', async (t, broker) => {
    const link = await startLink(t, broker.port);
    const { session, told } = startSession(t, { ...broker, url: link.url }, { keepAliveSeconds: 1 });
    await whenConnected(session);

    link.mute();

    await until(() => told.ends.length === 1, { what: 'the dead link is noticed' });
    await whenConnected(session, 2);
  });

  withBroker(
    'a held promise holds back the next message and acknowledgements, and order is kept',
    async (t, broker) => {
      const seen: string[] = [];
      const releases: (() => void)[] = [];
      const { session } = startSession(t, broker, {
        onMessage: ({ payload }) => {
          seen.push(payload.toString());
          return new Promise((release) => releases.push(release));
        },
      });
      await whenConnected(session);
      const controller = await connectClient(t, broker.url, broker.credential('controller', 'ctl-a'));
      const texts = ['a', 'b', 'c', 'd'];
      for (const text of texts.slice(0, 3)) await controller.publishAsync(REQUESTS, text, { qos: 1 });

      await until(() => seen.length === 1, { what: 'the first message' });
      let acknowledged = false;
      const publishing = session.publish('ack', NODE, 'meanwhile').then(() => {
        acknowledged = true;
      });
      await controller.publishAsync(REQUESTS, 'd', { qos: 1 }); // a round trip, in which nothing more may come
      assert.deepEqual([seen, acknowledged], [['a'], false]);

      for (const index of texts.keys()) {
        await until(() => releases.length === index + 1, { what: `message ${index + 1}` });
        assert.deepEqual(seen, texts.slice(0, index + 1));
        releases[index]?.();
      }
      await publishing;
    },
  );

  withBroker('a topic that is none of ours is told apart', async (t, broker) => {
    const { session, told } = startSession(t, broker, {
      clientId: 'mon-a',
      credentials: () => broker.credential('monitor', 'mon-a'),
      filters: () => ['$SYS/#'],
    });
    await whenConnected(session);

    const [topic] = await until(() => told.foreign.length > 0 && told.foreign, { what: 'a topic under $SYS' });

    assert.match(topic ?? '', /^\$SYS\//);
    assert.deepEqual(told.messages, []);
  });
}

test('a session whose filters are denied tries again until they are granted', async (t) => {
  const broker = await startTestBroker(t);
  let asked = 0;
  const { session, told } = startSession(t, broker, {
    filters: () => {
      asked += 1;
      return asked < 3 ? [REQUESTS, 'muster/v1/default/node/pump-8/request'] : [REQUESTS];
    },
  });

  await whenConnected(session);

  assert.equal(asked, 3);
  assert.equal(told.connections.length, 1);
  assert.deepEqual(told.ends, []);
});

test('credentials are asked for at each connect, so that a refused password is replaced', async (t) => {
  const broker = await startTestBroker(t);
  let asked = 0;
  const { session } = startSession(t, broker, {
    credentials: () => {
      asked += 1;
      const credential = broker.credential('node', NODE.node);
      return asked < 3 ? { ...credential, password: 'old' } : credential;
    },
  });

  await whenConnected(session);

  assert.equal(asked, 3);
});

test('the wait before each try is a random part of a ceiling that doubles to 20 s', async (t) => {
  const broker = await startTestBroker(t);
  await broker.stop();
  const waits: number[] = [];
  const destination = { write: (line: string) => void waits.push(Number(/"waitMs":(\d+)/.exec(line)?.[1])) };
  const log = createLogger('test', { level: 'debug', destination });

  startSession(t, broker, { log, random: () => 0.01 });

  await until(() => waits.length === 8, { what: 'eight tries' });
  assert.deepEqual(waits, [5, 10, 20, 40, 80, 160, 200, 200]);
});

test('a session can be stopped while there is no broker', async (t) => {
  const broker = await startTestBroker(t);
  await broker.stop();
  const { session, told } = startSession(t, broker);

  await session.stop();

  assert.equal(session.connected, false);
  assert.equal(session.localAddress, undefined);
  assert.deepEqual(told.connections, []);
});

test('a connected session knows its local address', async (t) => {
  const broker = await startTestBroker(t);
  const { session } = startSession(t, broker);

  await whenConnected(session);

  assert.equal(session.localAddress, '127.0.0.1');
});

test('a stopped session leaves no timer behind', async (t) => {
  const broker = await startTestBroker(t);
  const timers = (): number => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
  const before = timers();
  const { session } = startSession(t, broker);
  await whenConnected(session);

  await session.stop();

  await until(() => timers() <= before, { what: 'the timers of the session are gone' });
});

/** The socket of a session that connects to this port during the test. */
function watchSocket(t: TestScope, port: number): () => Socket {
  let found: Socket | undefined;
  const look = (message: unknown): void => {
    if (typeof message !== 'object' || message === null || !('socket' in message)) return;
    const { socket } = message;
    if (!(socket instanceof Socket)) return;
    socket.once('connect', () => {
      if (socket.remotePort === port) found = socket;
    });
  };
  subscribe('net.client.socket', look);
  t.after(() => unsubscribe('net.client.socket', look));
  return () => {
    assert.ok(found !== undefined, 'nobody has connected');
    return found;
  };
}

test('packets of one turn of the event loop leave together at its end', async (t) => {
  const broker = await startTestBroker(t);
  const socket = watchSocket(t, broker.port);
  const { session } = startSession(t, broker);
  await whenConnected(session);

  const waiting: number[] = [];
  const published: Promise<void>[] = [];
  for (const body of ['one', 'two', 'three']) {
    published.push(session.publish('ack', NODE, body));
    await new Promise((passed) => process.nextTick(passed));
    waiting.push(socket().writableLength);
  }
  await Promise.all(published);

  const [one = 0, two = 0, three = 0] = waiting;
  assert.ok(0 < one && one < two && two < three, `bytes that wait: ${waiting.join(', ')}`);
  assert.deepEqual([socket().writableLength, socket().writableCorked], [0, 0]);
});

test('a turn that says more than the socket takes at once is said whole and in order', async (t) => {
  const broker = await startTestBroker(t);
  const { session } = startSession(t, broker);
  await whenConnected(session);
  const controller = await connectClient(t, broker.url, broker.credential('controller', 'ctl-a'));
  const heard: number[] = [];
  controller.on('message', (_, payload) => heard.push(payload.readUInt32BE(0)));
  await controller.subscribeAsync(topicFilter(scope, 'ack', NODE), { qos: 1 });
  const numbers = Array.from({ length: 40 }, (_, number) => number);

  await Promise.all(
    numbers.map((number) => {
      const body = Buffer.alloc(50_000);
      body.writeUInt32BE(number);
      return session.publish('ack', NODE, body);
    }),
  );

  await until(() => heard.length === numbers.length, { what: 'all of them' });
  assert.deepEqual(heard, numbers);
});

test('what waits for the end of its turn is lost with the connection, and its publisher is told', async (t) => {
  const broker = await startTestBroker(t);
  const { session } = startSession(t, broker);
  await whenConnected(session);

  const lost = session.publish('ack', NODE, 'lost');
  session.reconnect();

  await assertRejectsCode(lost, 'not_connected');
  await whenConnected(session, 2);
  await session.publish('ack', NODE, 'said');
});

test('a stop in the same turn comes after what was published', async (t) => {
  const broker = await startTestBroker(t);
  const controller = await connectClient(t, broker.url, broker.credential('controller', 'ctl-a'));
  await controller.subscribeAsync(STATUS, { qos: 1 });
  const { session } = startSession(t, broker, { will: () => ({ kind: 'status', levels: NODE, body: 'lost' }) });
  await whenConnected(session);
  const heard = nextMessage(controller);

  const said = session.publish('status', NODE, 'stopping');
  await Promise.all([session.stop(), said.catch(() => undefined)]);

  assert.equal((await heard).text, 'stopping');
});
