import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { ListedContainers } from '../../../../agent/actions/containers/answers.js';
import { ContainerList } from '../../../../agent/actions/containers/container-list.js';
import { createEngine } from '../../../../agent/actions/containers/engine.js';
import { findSocket, usualSockets } from '../../../../agent/actions/containers/socket.js';
import type { ErrorCode } from '../../../../protocol/errors.js';
import { assertRejectsCode } from '../../../support/assert-code.js';
import type { TestScope } from '../../../support/broker.js';
import { EXITED_0 } from '../../../support/builtins.js';
import { codeOf, runContainerAction } from '../../../support/containers.js';
import { type Answerer, sendJson, startStandInEngine } from '../../../support/engines/stand-in.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';
import { until } from '../../../support/until.js';

const Anything = z.unknown();
/** Of an engine that answers nothing, in milliseconds. */
const ANSWER_MS = 500;
const signal = new AbortController().signal;

/** What becomes of a look at the containers when the other side of the socket sends these bytes, and may hang up. */
async function whenSent(t: TestScope, speak: (socket: Socket) => void): Promise<ReturnType<typeof codeOf>> {
  const socket = join(temporaryDirectory(t), 'raw.sock');
  const server = createServer((each) => {
    each.on('error', () => undefined);
    each.once('data', () => speak(each));
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  t.after(() => server.close());
  return codeOf(await runContainerAction(socket, 'container_list', {}, { answerMs: ANSWER_MS }));
}

const HOSTILE: readonly (readonly [what: string, sent: string, code: ErrorCode])[] = [
  ['bytes that are no HTTP', '\u0000\u0001garbage\r\n\r\n', 'engine_answer_invalid'],
  ['nothing at all', '', 'engine_unavailable'],
  ['half a head', 'HTTP/1.1 200 OK\r\nContent-Ty', 'engine_unavailable'],
  ['a head without an end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`, 'engine_answer_invalid'],
  [
    'half a body',
    'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n[',
    'engine_answer_invalid',
  ],
  [
    'half a chunk',
    'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n[',
    'engine_answer_invalid',
  ],
  [
    'a chunk of no length',
    'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n[]',
    'engine_answer_invalid',
  ],
  [
    'another protocol',
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n',
    'engine_answer_invalid',
  ],
];

for (const [what, sent, code] of HOSTILE) {
  test(`${what} on the socket is ${code}`, async (t) => {
    assert.equal(await whenSent(t, (socket) => socket.end(sent)), code);
  });
}

const ODD: readonly (readonly [what: string, answerer: Answerer, code: ErrorCode])[] = [
  [
    'a page',
    (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('[]'),
    'engine_answer_invalid',
  ],
  [
    'JSON that is none',
    (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('[{'),
    'engine_answer_invalid',
  ],
  [
    'JSON that is deep',
    (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('['.repeat(1_000_000)),
    'engine_answer_invalid',
  ],
  [
    'another shape',
    (_, response) => sendJson(response, 200, [{ Id: '../../etc', Names: ['/x'], State: 'running' }]),
    'engine_answer_invalid',
  ],
  [
    'more than fits',
    (_, response) =>
      sendJson(response, 200, [{ Id: '0'.repeat(64), Names: ['/x'.repeat(2_500_000)], State: 'running' }]),
    'engine_answer_invalid',
  ],
  [
    'a redirect',
    (_, response) => response.writeHead(302, { location: 'http://127.0.0.1/' }).end(),
    'engine_answer_invalid',
  ],
  [
    '500 and a page',
    (_, response) => response.writeHead(500, { 'content-type': 'text/html' }).end('<h1>Oops</h1>'),
    'engine_refused',
  ],
  ['409', (_, response) => sendJson(response, 409, { message: 'marked for removal' }), 'engine_refused'],
  ['403 of a proxy', (_, response) => response.writeHead(403).end('Forbidden'), 'engine_permission_denied'],
  [
    'a version that is refused',
    (_, response) =>
      sendJson(response, 400, {
        message: 'client version 1.41 is too old. Minimum supported API version is 1.44, please upgrade',
      }),
    'engine_version_refused',
  ],
];

for (const [what, answerer, code] of ODD) {
  test(`an engine that answers ${what} is ${code}`, async (t) => {
    const engine = await startStandInEngine(t);
    engine.answer('GET /containers/json', answerer);

    const run = await runContainerAction(engine.socket, 'container_list');

    assert.equal(codeOf(run), code);
    assert.equal(run.stdout, '');
    assert.doesNotMatch(run.end.kind === 'error' ? run.end.message : '', /<|\n/);
  });
}

test('a container without a name, as one that could not be removed has none, hides no other', async (t) => {
  const engine = await startStandInEngine(t);
  const ids = ['0', '1', '2'].map((digit) => digit.repeat(64));
  const listed = [{ Names: [] }, { Names: null }, { Names: ['/web'] }].map((names, index) => ({
    ...{ Id: ids[index], State: 'dead', ...names },
  }));
  engine.answer('GET /containers/json', (_, response) => sendJson(response, 200, listed));

  const { end, stdout } = await runContainerAction(engine.socket, 'container_list');

  assert.deepEqual(end, EXITED_0);
  const { containers } = ContainerList.parse(JSON.parse(stdout));
  assert.deepEqual(
    containers.map(({ id, name }) => [id, name]),
    [
      [ids[0], ''],
      [ids[1], ''],
      [ids[2], 'web'],
    ],
  );
});

test('a list of a million things that are no containers costs one complaint, and not the memory of a million', () => {
  const { error } = ListedContainers.safeParse(Array.from({ length: 1_000_000 }, () => ({})));

  assert.equal(error?.issues.length, 1);
});

test('an engine that accepts and says nothing is engine_timeout', async (t) => {
  assert.equal(await whenSent(t, () => undefined), 'engine_timeout');
});

test('an answer that trickles is engine_timeout as well', async (t) => {
  const engine = await startStandInEngine(t);
  engine.answer('GET', (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const timer = setInterval(() => response.write(' '), 100);
    response.once('close', () => clearInterval(timer));
  });

  const run = await runContainerAction(engine.socket, 'container_list', {}, { answerMs: ANSWER_MS });
  assert.equal(codeOf(run), 'engine_timeout');
});

test('a socket that is not there, and a file in its place, are engine_unavailable; one that is closed to us is engine_permission_denied', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'file'), '');
  const at = (socket: string | undefined) => createEngine(() => socket).get('/_ping', Anything, signal);

  await assertRejectsCode(at(undefined), 'engine_unavailable');
  const missing = await assertRejectsCode(at(join(directory, 'absent.sock')), 'engine_unavailable');
  assert.match(missing.message, /absent\.sock \(ENOENT\)\.$/);
  await assertRejectsCode(at(join(directory, 'file')), 'engine_unavailable');
  const engine = await startStandInEngine(t);
  chmodSync(dirname(engine.socket), 0o755);
  chmodSync(engine.socket, 0o000);
  const isRoot = process.getuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534); // no socket is closed to root
  try {
    await assertRejectsCode(at(engine.socket), 'engine_permission_denied');
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
});

test('no call leaves a connection behind', async (t) => {
  const engine = await startStandInEngine(t);
  const { get, post, read } = createEngine(() => engine.socket);
  let open = 0;
  engine.answer('', (request, response) => {
    open += 1;
    request.socket.once('close', () => (open -= 1));
    if (request.url === '/json') return sendJson(response, 200, {});
    if (request.url === '/hang') return undefined;
    if (request.url === '/done') return response.writeHead(200).write('unasked');
    return response.writeHead(200).write('x'.repeat(100_000));
  });

  await get('/json', Anything, signal);
  assert.equal(await post('/done', { signal, ms: 5_000 }), 'done');
  await assertRejectsCode(post('/hang', { signal, ms: 50 }), 'engine_timeout');
  assert.equal(await read('/stream', { signal, take: () => false }), 'enough');
  await assertRejectsCode(read('/stream', { signal, take: () => true, idleMs: 50 }), 'engine_timeout');

  await until(() => open === 0, { what: 'every connection is closed' });
});

test('the socket is the one that is set, else the first of the usual ones that is there, else none', async (t) => {
  const directory = temporaryDirectory(t);
  const [first, second] = [join(directory, 'first'), join(directory, 'second')];
  writeFileSync(second, '');

  assert.equal(findSocket('', [first, second]), second);
  assert.equal(findSocket('', [first]), undefined);
  assert.equal(findSocket('off', [second]), undefined);
  assert.equal(findSocket('/set', [second]), '/set');
  assert.deepEqual(usualSockets({ uid: 1000, runtimeDir: undefined }), [
    '/var/run/docker.sock',
    '/run/podman/podman.sock',
    '/run/user/1000/docker.sock',
    '/run/user/1000/podman/podman.sock',
  ]);
});
