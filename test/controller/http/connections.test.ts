import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Problem } from '../../../controller/http/schemas.js';
import { refuseUnreadable, SECURITY_HEADERS } from '../../../controller/http/transport.js';
import { withDeadline } from '../../../runtime/deadline.js';
import { startTestHttp } from '../../support/http.js';
import { createScriptedServices, tokenOf } from '../../support/scripted-services.js';
import { until } from '../../support/until.js';

const VIEWER = `Authorization: Bearer ${tokenOf('viewer')}`;
const HANDSHAKE = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
const KEY = 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==';

/** What a client sends, and the status and code of the one answer. */
const BAD: readonly (readonly [why: string, head: readonly string[], status: number, code: string])[] = [
  ['what is not HTTP', ['\x10\x2f\x00\x04MQTT'], 400, 'invalid_request'],
  ['what begins another protocol', ['PRI * HTTP/2.0'], 400, 'invalid_request'],
  ['a request without Host', ['GET /healthz HTTP/1.1'], 400, 'invalid_request'],
  [
    'two lengths',
    ['POST /api/v1/login HTTP/1.1', 'Host: x', 'Content-Length: 1', 'Content-Length: 2'],
    400,
    'invalid_request',
  ],
  [
    'a length and chunks',
    ['POST /api/v1/login HTTP/1.1', 'Host: x', 'Content-Length: 4', 'Transfer-Encoding: chunked', '', '0'],
    ...([400, 'invalid_request'] as const),
  ],
  ['20 KiB of headers', ['GET / HTTP/1.1', 'Host: x', `X: ${'x'.repeat(20_000)}`], 431, 'headers_too_large'],
  [
    'a handshake without a key',
    ['GET /api/v1/events HTTP/1.1', 'Host: x', VIEWER, ...HANDSHAKE],
    400,
    'invalid_request',
  ],
  [
    'a handshake without a token',
    ['GET /api/v1/events HTTP/1.1', 'Host: x', ...HANDSHAKE, KEY],
    401,
    'unauthenticated',
  ],
  ['a handshake with nothing', ['GET /nothing HTTP/1.1', 'Host: x', ...HANDSHAKE, KEY], 404, 'not_found'],
];

test('bytes that are no request are answered once, with a code and what to do, and the connection ends whatever the client does', async (t) => {
  const { port } = await startTestHttp(t, createScriptedServices().services);

  async function answerTo(head: readonly string[]): Promise<string> {
    const client = await openClient(t, port);
    client.socket.write([...head, 'Connection: close', '', ''].join('\r\n'));
    await client.over();
    return client.text();
  }

  const answers = await Promise.all(BAD.map(async (bad) => [bad, await answerTo(bad[1])] as const));
  for (const [[why, , status, code], answer] of answers) {
    assert.ok(answer.startsWith(`HTTP/1.1 ${status} `), `${why}: ${answer}`);
    assert.match(answer, new RegExp(`"code":"${code}","next":"[^"]+"`), why);
    for (const [name, value] of Object.entries(SECURITY_HEADERS))
      assert.ok(answer.includes(`${name}: ${value}\r\n`), why);
    assert.equal(answer.split('HTTP/1.1 ').length, 2, `${why}: one answer`);
  }
});

test('a request that does not arrive in time is answered 408 request_timeout with Retry-After', async (t) => {
  // The parser says so after 15 s; here it is said at once.
  const tooSlow = Object.assign(new Error('Request timeout'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
  const server = createServer((socket) => refuseUnreadable(tooSlow, socket, false));
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);

  const client = await openClient(t, address.port);
  await client.over();

  assert.match(client.text(), /^HTTP\/1\.1 408 Request Timeout\r\n/);
  assert.match(client.text(), /\r\nretry-after: 1\r\n/);
  const { code } = Problem.parse(JSON.parse(client.text().split('\r\n\r\n')[1] ?? ''));
  assert.equal(code, 'request_timeout');
});

test('garbage while an answer is under way ends the connection and is no part of that answer', async (t) => {
  const { port } = await startTestHttp(t, createScriptedServices().services);
  const client = await openClient(t, port);

  client.socket.write(`GET /api/v1/events HTTP/1.1\r\nHost: x\r\n${VIEWER}\r\n\r\n`);
  await until(() => client.text().includes('event: ready'), { what: 'the stream' });
  client.socket.write('\x00garbage\r\n\r\n');
  await client.over();

  assert.equal(client.text().split('HTTP/1.1 ').length, 2, 'one answer');
});

test('an expectation that nobody knows is passed over', async (t) => {
  const { port } = await startTestHttp(t, createScriptedServices().services);
  const client = await openClient(t, port);

  client.socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: the-impossible\r\nConnection: close\r\n\r\n');
  await client.over();

  assert.match(client.text(), /^HTTP\/1\.1 200 OK/);
});

test('beyond max_http_connections clients are cut off, those that are there are served, and a place that is freed is given', async (t) => {
  const { port, url } = await startTestHttp(t, createScriptedServices().services, undefined, { maxConnections: 10 });
  const clients: Client[] = [];
  for (let count = 0; count < 10; count += 1) clients.push(await openClient(t, port));

  const refused = await openClient(t, port);
  await refused.over();
  assert.equal(refused.text(), '');
  const [first] = clients;
  first?.socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  await first?.over();
  assert.match(first?.text() ?? '', /^HTTP\/1\.1 200 OK/);
  await until(async () => (await fetch(`${url}/healthz`).catch(() => undefined))?.ok ?? false, { what: 'a place' });
});

type Client = Readonly<{
  socket: Socket;
  text: () => string;
  /** Resolves when the other side has let go of the connection, although we keep our half of it open. */
  over: () => Promise<void>;
}>;

async function openClient(t: TestContext, port: number): Promise<Client> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  t.after(() => socket.destroy());
  let received = '';
  socket.on('error', () => undefined);
  socket.setEncoding('latin1').on('data', (text: string) => {
    received += text;
  });
  const closed = new Promise<void>((done) => socket.once('close', () => done()));
  const ended = new Promise<void>((done) => socket.once('end', done));
  await once(socket, 'connect');
  return {
    socket,
    text: () => received,
    async over() {
      await withDeadline(Promise.race([ended, closed]), 10_000, 'the end of the answer');
      // What is written to a connection that nobody holds any more is answered with a reset.
      const writing = setInterval(() => socket.write('\r\n'), 50);
      await withDeadline(closed, 10_000, 'the end of the connection').finally(() => clearInterval(writing));
    },
  };
}
