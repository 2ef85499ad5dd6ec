import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { z } from 'zod';
import { createClient } from '../../cli/client.js';
import { readConnection } from '../../cli/installation.js';
import { SandboxCreated } from '../../controller/http/sandbox-schemas.js';
import { spawnMuster } from '../support/muster.js';
import { storeSetting } from '../support/store-place.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const MIB = 1024 * 1024;
/** One answer of a service may be held, with its text and what JSON makes of it; of many that were given up nothing stays. */
const MAX_GROWTH = 96 * MIB;
const ROUNDS = 3;

/** What would leave its place in an address, or pretend to be another one. */
const ESCAPES = [
  ...[
    '..',
    '../admin',
    '..%2fadmin',
    '%2e%2e',
    '%2e%2e%2fadmin',
    '.',
    './admin',
    '..\\admin',
    '\u2024\u2024',
    '\uff0e\uff0e',
  ],
  ...['//127.0.0.1:PORT/', 'http://127.0.0.1:PORT/', '@127.0.0.1:PORT', 'x@127.0.0.1:PORT', ':PORT', '\\\\127.0.0.1'],
  ...['a\r\nx-stolen: 1', 'a\nHost: 127.0.0.1:PORT', 'a\u0000b', '?admin=1', '#admin', ';admin', '\u2028', '\u202e'],
];

/** For each place in a template: the action, and what it is asked with when the text stands there. */
const PLACES: readonly (readonly [
  integration: string,
  action: string,
  params: (text: string) => object,
  path: RegExp,
])[] = [
  ['sentry', 'get_issue', (issue) => ({ issue }), /^\/issues\/[^/?#]+\/$/],
  ['sentry', 'get_event', (event) => ({ issue: '1', event }), /^\/issues\/1\/events\/[^/?#]+\/$/],
  ['sentry', 'list_issues', (organization) => ({ organization, project: 'p' }), /^\/projects\/[^/?#]+\/p\/issues\/$/],
  ['sentry', 'list_issues', (project) => ({ organization: 'o', project }), /^\/projects\/o\/[^/?#]+\/issues\/$/],
  [
    'sentry',
    'list_issues',
    (query) => ({ organization: 'o', project: 'p', query }),
    /^\/projects\/o\/p\/issues\/\?query=[^#]*$/,
  ],
  ['tickets', 'find', (queue) => ({ queue, state: 'open' }), /^\/v2\/queues\/[^/?#]+\/tickets\?state=open$/],
  ['tickets', 'find', (state) => ({ queue: 'q', state }), /^\/v2\/queues\/q\/tickets\?state=[^#]*$/],
  ['tickets', 'say', (text) => ({ text }), /^\/v2\/say$/],
];

const ADAPTERS = `
v: 1
adapters:
  - name: tickets
    base_url: http://127.0.0.1:1/v2
    test: /me
    actions:
      - name: find
        risk: read
        path: /queues/{queue}/tickets
        query: {state: "{state}"}
        parameters: [{name: queue, required: true}, {name: state, required: true}]
      - name: say
        risk: read
        method: POST
        path: /say
        body: {text: "{text}"}
        parameters: [{name: text, required: true}]
`;

test('A-39, A-64: a sandbox reaches no other path and no other host, whatever stands in whichever place of a template', async (t) => {
  const site = await startSite(t);
  const elsewhere = await listen(t, (socket) => socket.end());
  const port = String(elsewhere.port);
  let taken = 0;

  for (const [integration, action, params, path] of PLACES) {
    const ask = await site.makeAsker();
    const before = site.asked.length;
    for (const text of ESCAPES) {
      const { status, text: answer } = await ask(integration, action, params(text.replaceAll('PORT', port)));
      const isRefused = status === 400 || (status === 502 && answer.includes('cannot stand in an address'));
      assert.ok(
        status === 200 || isRefused,
        `${integration}/${action} with ${JSON.stringify(text)}: ${status} ${answer}`,
      );
      if (status === 200) taken += 1;
    }
    for (const { line, head } of site.asked.slice(before)) {
      assert.match(line.split(' ')[1] ?? '', path, `${integration}/${action}: ${line}`);
      assert.match(head, new RegExp(`^host: 127\\.0\\.0\\.1:${site.port}\r$`, 'im'));
      assert.doesNotMatch(head, /^x-stolen/im);
    }
  }

  assert.ok(taken > 0 && site.asked.length === taken);
  assert.equal(elsewhere.connections(), 0);
});

test('A-62, A-66, A-67, S-A-30: answers that are giant, deep, packed, endless or drip gain nothing, and the controller stays as small as it was', async (t) => {
  if (process.platform !== 'linux') return t.skip('resident memory is read from /proc');
  const site = await startSite(t, { integration_timeout: '2s' });
  const asks = await Promise.all(Array.from({ length: 6 }, site.makeAsker));
  const round = async (): Promise<void> => {
    const kinds = Object.keys(HOSTILE);
    const answers = await Promise.all(
      kinds.map((kind, at) => asks[at % asks.length]?.('sentry', 'get_issue', { issue: kind })),
    );
    for (const [at, answer] of answers.entries()) {
      assert.ok(
        answer !== undefined && (answer.status === 502 || kinds[at] === 'deep'),
        `${kinds[at]}: ${answer?.status}`,
      );
      assert.ok(answer.text.length < 64 * 1024, `${kinds[at]}: ${answer.text.length} characters`);
    }
  };
  await round();
  const before = site.resident();

  for (let count = 0; count < ROUNDS; count += 1) await round();

  const growth = site.peak() - before;
  assert.ok(growth < MAX_GROWTH, `${Math.round(growth / MIB)} MiB more than before`);
  const { status } = await (await site.makeAsker())('sentry', 'get_issue', { issue: 'plain' });
  assert.equal(status, 200, 'it goes on');
  return undefined;
});

test('S-A-23, S-A-32, A-110: with the ids of another sandbox nothing is to be had on any route, and nothing is changed', async (t) => {
  const site = await startSite(t);
  const other = await site.make([{ integration: 'sentry', actions: ['*'] }]);
  const eve = await site.make([{ integration: 'sentry', actions: ['get_issue'] }]);
  const asked = await site.send(other.token, `POST /${other.id}/actions/invoke`, {
    ...{ integration: 'sentry', action: 'update_issue', params: { issue: '1' } },
  });
  const { invocation } = z
    .object({ invocation: z.object({ id: z.string(), status: z.string() }) })
    .parse(JSON.parse(asked.text));
  assert.equal(invocation.status, 'pending');
  const digest = '0'.repeat(64);
  const routes: readonly (readonly [route: string, body?: unknown])[] = [
    [`GET /${other.id}/actions/available`],
    [`POST /${other.id}/actions/invoke`, { integration: 'sentry', action: 'get_issue', params: { issue: '1' } }],
    [`GET /${other.id}/actions/invocations`],
    ...[other.id, eve.id].flatMap((id): [string, unknown?][] => [
      [`GET /${id}/actions/invocations/${invocation.id}`],
      [`POST /${id}/actions/invocations/${invocation.id}/approve`, {}],
      [`POST /${id}/actions/invocations/${invocation.id}/deny`, {}],
    ]),
    [`GET /api/v1/invocations/${invocation.id}`],
    [`GET /api/v1/invocations/${invocation.id}/executions`],
    [`POST /api/v1/invocations/${invocation.id}/cancel`, {}],
    [`POST /api/v1/invocations/${invocation.id}/approve`, { digest }],
    [`POST /api/v1/invocations/${invocation.id}/deny`, {}],
    [`GET /api/v1/sandboxes/${other.id}`],
    [`PATCH /api/v1/sandboxes/${other.id}`, { status: 'paused' }],
    [`POST /api/v1/sandboxes/${other.id}/token`, {}],
    [`DELETE /api/v1/sandboxes/${other.id}`],
  ];

  for (const [route, body] of routes) {
    const { status, text } = await site.send(eve.token, route, body);
    assert.ok([401, 403, 404].includes(status), `${route}: ${status}`);
    assert.doesNotMatch(text, /update_issue|"params"/, route);
  }
  const after = await site.send(other.token, `GET /${other.id}/actions/invocations/${invocation.id}`);
  assert.match(after.text, /"status":"pending"/);
  assert.equal(site.asked.length, 0);
});

/** What a hostile service writes after it was asked; the connection is ended by the other side, or when it returns. */
const HOSTILE: Readonly<Record<string, (socket: Socket) => Promise<void> | void>> = {
  giant: (socket) => pour(socket, head('content-length: 104857600'), Buffer.alloc(64 * 1024, 'x'), 1_600),
  deep: (socket) => void socket.end(`${head()}${'['.repeat(100_000)}${']'.repeat(100_000)}`),
  bomb: (socket) => void socket.end(Buffer.concat([Buffer.from(head('content-encoding: gzip')), BOMB])),
  headers: (socket) =>
    pour(socket, 'HTTP/1.1 200 OK\r\n', Buffer.from(`x-${'a'.repeat(60)}: ${'b'.repeat(4096)}\r\n`), 25_000),
  drip: (socket) => drip(socket),
};

const BOMB = gzipSync(Buffer.alloc(100 * MIB), { level: 9 });

function head(more = 'connection: close'): string {
  return `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${more}\r\n\r\n`;
}

async function pour(socket: Socket, first: string, part: Buffer, count: number): Promise<void> {
  socket.write(first);
  for (let sent = 0; sent < count && socket.writable; sent += 1) {
    if (!socket.write(part)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => undefined);
  }
  socket.destroy();
}

/** An octet now and then, for ever: as long as somebody listens. */
function drip(socket: Socket): void {
  socket.write(head('content-length: 1000000'));
  const timer = setInterval(() => socket.write(' '), 50);
  socket.once('close', () => clearInterval(timer));
}

type Asked = Readonly<{ line: string; head: string }>;

/** Listens on loopback and counts who comes. */
async function listen(t: TestContext, onSocket: (socket: Socket) => void) {
  let connections = 0;
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket)).on('error', () => undefined);
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return { port: address.port, connections: () => connections };
}

/** A controller as a process of its own, a service that it is connected to, and sandboxes. */
async function startSite(t: TestContext, { integration_timeout = '30s' } = {}) {
  const asked: Asked[] = [];
  const service = await listen(t, (socket) => {
    let text = '';
    const take = (part: Buffer): void => {
      text += part.toString('latin1');
      if (!text.includes('\r\n\r\n')) return;
      socket.off('data', take).resume();
      const [line = '', ...rest] = text.slice(0, text.indexOf('\r\n\r\n') + 2).split('\n');
      asked.push({ line: line.trim(), head: rest.join('\n') });
      const kind = /^GET \/issues\/(\w+)\/ /.exec(line)?.[1] ?? '';
      const answer = Object.hasOwn(HOSTILE, kind) ? HOSTILE[kind] : undefined;
      void (answer === undefined
        ? socket.end(`${head()}${line.startsWith('GET /projects/') ? '[]' : '{}'}`)
        : answer(socket));
    };
    socket.on('data', take);
  });
  const directory = temporaryDirectory(t);
  const file = join(directory, 'adapters.yaml');
  writeFileSync(file, ADAPTERS);
  const { store_url: storeUrl } = await storeSetting(t);
  const controller = spawnMuster(t, ['controller', '--data', directory], {
    ...{ MUSTER_CONTROLLER_PORT: '0', MUSTER_CONTROLLER_INTEGRATIONS_FILE: file },
    ...{ MUSTER_CONTROLLER_INTEGRATION_TIMEOUT: integration_timeout, MUSTER_CONTROLLER_LOG_LEVEL: 'error' },
    ...(storeUrl === undefined ? {} : { MUSTER_CONTROLLER_STORE_URL: storeUrl }),
  });
  controller.stdout?.resume();
  controller.stderr?.resume();
  await once(controller, 'message');
  const connection = readConnection(directory);
  const client = createClient(connection);
  const credential = { provider: 'stored', token: 'the-token-of-the-service' };
  for (const [adapter, path] of [
    ['sentry', ''],
    ['tickets', '/v2'],
  ] as const) {
    const body = { adapter, base_url: `http://127.0.0.1:${service.port}${path}`, credential };
    await client.call(z.unknown(), { method: 'POST', path: '/integrations', body });
  }
  let made = 0;
  const make = (connections: readonly object[]) => {
    made += 1;
    return client.call(SandboxCreated, { method: 'POST', path: '/sandboxes', body: { name: `s${made}`, connections } });
  };
  const send = async (token: string, route: string, body?: unknown) => {
    const [method = '', path = ''] = route.split(' ');
    const headers = {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const answer = await fetch(`${connection.url}${path}`, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
    });
    return { status: answer.status, text: await answer.text() };
  };
  const memory = (name: string): number => {
    const status = readFileSync(`/proc/${controller.pid}/status`, 'utf8');
    return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
  };
  return {
    ...{ asked, port: service.port, make, send },
    async makeAsker() {
      const { id, token } = await make(['sentry', 'tickets'].map((integration) => ({ integration, actions: ['*'] })));
      return (integration: string, action: string, params: object) =>
        send(token, `POST /${id}/actions/invoke`, { integration, action, params });
    },
    resident: () => memory('VmRSS'),
    peak: () => memory('VmHWM'),
  };
}
