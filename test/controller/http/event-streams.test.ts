import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { WebSocket } from 'ws';
import { startHttp } from '../../../controller/http/start-http.js';
import type { Principal, Role } from '../../../controller/services.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { startTestLog, type TestLog } from '../../support/event-log.js';
import { openEvents, openWebSocket } from '../../support/events.js';
import { assertProblem } from '../../support/http.js';
import { createScriptedServices, tokenOf } from '../../support/scripted-services.js';
import { until } from '../../support/until.js';

const VIEWER = `Bearer ${tokenOf('viewer')}`;
const HANDSHAKE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];

for (const open of [openEvents, openWebSocket]) {
  test(`promise 20: a stream ends when its token, its user or its role does (${open.name})`, async (t) => {
    let now: Principal | undefined = { id: 'ann', org: 'default', role: 'admin' };
    const log = await startTestLog(t, { limits: { checkMs: 50 }, authenticate: async () => now });
    const endings: unknown[] = [];

    for (const next of [
      undefined,
      { id: 'ann', org: 'default', role: 'viewer' },
      { id: 'ann', org: 'other', role: 'admin' },
    ] as const) {
      now = { id: 'ann', org: 'default', role: 'admin' };
      const stream = await open(t, log);
      now = next;
      const { code } = await stream.next('end');
      endings.push([code, await stream.ended]);
    }

    const closeCode = open === openWebSocket ? 1008 : undefined;
    assert.deepEqual(endings, [
      ['unauthenticated', closeCode],
      ['forbidden', closeCode],
      ['unauthenticated', closeCode],
    ]);
  });

  test(`thousands of events reach every stream, once and in order (${open.name})`, async (t) => {
    const log = await startTestLog(t);
    const streams = await Promise.all(Array.from({ length: 8 }, () => open(t, log)));

    for (let commit = 0; commit < 40; commit += 1) {
      await log.tell(...Array.from({ length: 300 }, (_, index) => `n${commit}-${index}`));
    }

    for (const { messages } of streams) {
      await until(() => messages.length === 12_001, { what: '12,000 events', deadlineMs: 30_000 });
      assert.ok(messages.every(({ id }, index) => id === index));
    }
  });
}

test('a stream that cannot be looked after ends, and so does one whose look takes too long', async (t) => {
  let check: () => Promise<Principal> = async () => ({ id: 'ann', org: 'default', role: 'viewer' });
  const log = await startTestLog(t, { limits: { checkMs: 50 }, authenticate: () => check() });
  const failing = await openEvents(t, log);
  const hanging = await openEvents(t, log);

  check = () => Promise.reject(new Error('the database is gone'));
  assert.equal((await failing.next('end')).code, 'unavailable');
  assert.equal((await hanging.next('end')).code, 'unavailable');
});

test('pages of other origins open no WebSocket; programs and our own pages do', async (t) => {
  const log = await startTestLog(t);
  const { host } = new URL(log.url);

  for (const origin of ['null', 'http://evil.example', `http://${host}.evil.example`, `ftp://${host}`, 'x', '']) {
    const answer = await send(t, log, ['GET /api/v1/events HTTP/1.1', ...HANDSHAKE, `Origin: ${origin}`]);
    assert.match(answer, /^HTTP\/1\.1 403 [\s\S]*"code":"forbidden"/, origin);
  }
  await openWebSocket(t, { ...log, headers: { origin: `http://${host}` } });
  await openWebSocket(t, log);
});

test('what is no handshake, or garbage after one, ends the connection and frees its place', async (t) => {
  const log = await startTestLog(t, { limits: { max: 1, perUser: 1 } });

  for (const broken of [
    HANDSHAKE.slice(0, 3),
    [...HANDSHAKE.slice(0, 3), 'Sec-WebSocket-Key: short'],
    [...HANDSHAKE.slice(0, 2), 'Sec-WebSocket-Version: 99', ...HANDSHAKE.slice(3)],
  ]) {
    assert.match(await send(t, log, ['GET /api/v1/events HTTP/1.1', ...broken]), /^HTTP\/1\.1 4\d\d /);
  }
  const socket = await connectTo(t, log, ['GET /api/v1/events HTTP/1.1', ...HANDSHAKE]);
  socket.write(randomBytes(4096));
  assert.match(await textOf(socket), /^HTTP\/1\.1 101 /);
  const talker = new WebSocket(`${log.url.replace('http', 'ws')}/api/v1/events`, {
    headers: { authorization: VIEWER },
  });
  talker.once('open', () => talker.send('run everything'));
  assert.equal((await once(talker, 'close'))[0], 1003);

  await openWebSocket(t, log);
});

test('one user has a part of the streams, and all together have no more than there may be', async (t) => {
  const log = await startTestLog(t, { limits: { max: 3, perUser: 2 } });
  const open = (role: Role) =>
    fetch(`${log.url}/api/v1/events`, { headers: { authorization: `Bearer ${tokenOf(role)}` } });
  const first = await openEvents(t, log);
  await openWebSocket(t, log);

  const refused = await open('viewer');
  assert.equal(refused.headers.get('retry-after'), '1');
  await assertProblem(refused, 429, 'rate_limited');
  const other = await openEvents(t, { ...log, token: tokenOf('owner') });
  await assertProblem(await open('admin'), 503, 'overloaded');
  first.close();
  other.close();

  await until(async () => (await open('viewer')).ok, { what: 'the place that was freed' });
});

test('a controller that stops says so to its streams, and waits for none of them', async (t) => {
  const { services } = createScriptedServices();
  const log = createLogger('controller', { level: 'silent' });
  const http = await startHttp({
    services,
    config: { host: '127.0.0.1', port: 0, max_http_connections: 100 },
    log,
    clock: SYSTEM_CLOCK,
  });
  const to = { url: http.url, token: tokenOf('viewer') };
  const streams = [await openEvents(t, to), await openWebSocket(t, to)];

  await http.stop();

  for (const stream of streams) assert.equal((await stream.next('end')).code, 'unavailable');
  assert.deepEqual(await Promise.all(streams.map(({ ended }) => ended)), [undefined, 1001]);
});

test('clients that do not read cost no memory', async (t) => {
  const log = await startTestLog(t, { limits: { stallMs: 30_000 } });
  const stuck = await Promise.all(Array.from({ length: 8 }, () => connectTo(t, log, ['GET /api/v1/events HTTP/1.1'])));
  for (const socket of stuck) socket.pause();
  await until(() => stuck.every((socket) => socket.bytesRead > 0), { what: 'eight open streams' });
  const reason = 'x'.repeat(60_000);
  const before = heapUsed();

  for (let count = 0; count < 600; count += 1) await tellLong(log, reason);

  const grown = heapUsed() - before;
  assert.ok(grown < 64e6, `${grown} bytes more, where 8 streams were sent ${8 * 600 * reason.length}`);
});

test('a client that takes nothing for too long, or is cut off while it does not read, is let go', async (t) => {
  let now: Principal = { id: 'ann', org: 'default', role: 'viewer' };
  const stalled = await startTestLog(t, { limits: { stallMs: 300, max: 2, perUser: 2 } });
  const revoked = await startTestLog(t, { limits: { checkMs: 50, max: 2, perUser: 2 }, authenticate: async () => now });

  for (const log of [stalled, revoked]) {
    const sse = await connectTo(t, log, ['GET /api/v1/events HTTP/1.1']);
    const overWebSocket = await connectTo(t, log, ['GET /api/v1/events HTTP/1.1', ...HANDSHAKE]);
    for (const socket of [sse, overWebSocket]) socket.pause();
    for (let count = 0; count < 300; count += 1) await tellLong(log, 'x'.repeat(60_000));
    if (log === revoked) now = { ...now, id: 'bob' };
    const places = [await placeOf(log), await placeOf(log)];
    for (const leave of places) leave();

    for (const socket of [sse, overWebSocket]) {
      await textOf(socket).catch(() => undefined);
      assert.ok(socket.bytesRead < 300 * 60_000, `${socket.bytesRead} bytes were in the buffers of the kernel`);
    }
  }
});

test('requests that offer another protocol are answered as if they had not, with the body that follows', async (t) => {
  const log = await startTestLog(t);
  const body = JSON.stringify({ action: 'ping', target: { fleet: true } });
  const h2c = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'];
  const head = ['POST /api/v1/invocations HTTP/1.1', ...h2c, 'Prefer: wait=0', 'Content-Type: application/json'];

  const socket = await connectTo(t, log, [...head, `Content-Length: ${body.length}`], tokenOf('operator'));
  await new Promise((later) => setImmediate(later));
  socket.write(body);
  socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');

  assert.match(await textOf(socket), /^HTTP\/1\.1 202 [\s\S]*HTTP\/1\.1 200 OK[\s\S]*\r\n\r\nok\n$/);
  const elsewhere = await textOf(await connectTo(t, log, ['GET /healthz HTTP/1.1', ...HANDSHAKE]));
  assert.match(elsewhere, /^HTTP\/1\.1 200 OK[\s\S]*\r\n\r\nok\n$/);
  assert.match(await send(t, log, ['HEAD /api/v1/events HTTP/1.1']), /^HTTP\/1\.1 405 /);
});

/** Stores a long event. */
function tellLong({ store }: TestLog, reason: string): Promise<void> {
  const execution = {
    type: 'execution',
    invocation_id: 'i',
    execution_id: 'e',
    node: 'n',
    status: 'rejected',
  } as const;
  const flags = { error_code: null, unreachable: false, cancelling: false, provisional: false };
  return store.write(async (tx) => tx.tell({ org: 'default', event: { ...execution, reason, ...flags } }));
}

function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  const { heapUsed: heap, external } = process.memoryUsage();
  return heap + external;
}

async function connectTo(t: TestContext, { url }: TestLog, head: readonly string[], token?: string): Promise<Socket> {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  const authorization = token === undefined ? VIEWER : `Bearer ${token}`;
  socket.write([...head, `Host: ${host}`, `Authorization: ${authorization}`, '', ''].join('\r\n'));
  return socket;
}

/** All that the other side sends until it ends the connection. */
async function textOf(socket: Socket): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part);
  return Buffer.concat(parts).toString('latin1');
}

async function send(t: TestContext, log: TestLog, head: readonly string[]): Promise<string> {
  return textOf(await connectTo(t, log, [...head, 'Connection: close']));
}

/** Waits until there is room for one more stream, and takes it; gives what leaves it again. */
async function placeOf({ url }: TestLog): Promise<() => void> {
  const leaving = new AbortController();
  const call = { headers: { authorization: VIEWER }, signal: leaving.signal };
  await until(async () => (await fetch(`${url}/api/v1/events`, call)).ok, { what: 'a place', deadlineMs: 20_000 });
  return () => leaving.abort();
}
