import assert from 'node:assert/strict';
import { createServer, type Server as HttpServer } from 'node:http';
import { createServer as createTcpServer, type Server } from 'node:net';
import { test } from 'node:test';
import { HealthCheck } from '../../../../agent/actions/builtins/health-check.js';
import type { ParameterValue } from '../../../../protocol/messages/parameters.js';
import type { TestScope } from '../../../support/broker.js';
import { type BuiltinChanges, EXITED_0, EXITED_1, runBuiltin } from '../../../support/builtins.js';

/** Listens on a free port of loopback until the test ends. */
async function listen(t: TestScope, server: Server | HttpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => new Promise((resolve) => server.close(resolve)));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function check(
  parameters: Record<string, ParameterValue>,
  changes: BuiltinChanges,
): Promise<HealthCheck & { exitCode: number }> {
  const { end, stdout } = await runBuiltin('health_check', parameters, changes);
  assert.equal(end.kind, 'exited');
  return { ...HealthCheck.parse(JSON.parse(stdout)), exitCode: end.kind === 'exited' ? end.exitCode : -1 };
}

const resultsOf = ({ checks }: HealthCheck): unknown[] => checks.map(({ name, ok, detail }) => [name, ok, detail]);

test('the broker and the controller of the node and its disks are checked without any setting', async (t) => {
  const asked: (string | undefined)[] = [];
  const http = createServer((request, response) => {
    asked.push(request.url);
    response.end('ok');
  });
  const broker = `mqtt://127.0.0.1:${await listen(
    t,
    createTcpServer((socket) => socket.destroy()),
  )}`;
  const controller = `http://127.0.0.1:${await listen(t, http)}`;

  const told = await check({ disk_percent: 100 }, { endpoints: { broker, controller } });

  assert.deepEqual(resultsOf(told).slice(0, 2), [
    ['broker', true, 'connected'],
    ['controller', true, 'answered 200'],
  ]);
  assert.ok(told.checks.some(({ name, ok }) => name === 'disk /' && ok));
  assert.deepEqual([told.ok, told.exitCode, asked], [true, 0, ['/healthz']]);
});

test('one check that fails is exit code 1, and the others still tell how they went', async (t) => {
  const open = await listen(
    t,
    createTcpServer((socket) => socket.destroy()),
  );
  const targets = [`tcp://127.0.0.1:${open}`, 'tcp://127.0.0.1:1', 'dns://localhost', 'dns://no-such-name.invalid'];

  const told = await check({}, { settings: { health_targets: targets } });

  const results = new Map(told.checks.map(({ name, ok }) => [name, ok]));
  assert.deepEqual(
    targets.map((target) => results.get(target)),
    [true, false, true, false],
  );
  assert.deepEqual([told.ok, told.exitCode], [false, 1]);
  assert.equal(told.checks.find(({ name }) => name === 'tcp://127.0.0.1:1')?.detail, 'ECONNREFUSED');
});

test('a redirect is an answer and not followed, and nothing of a body is repeated', async (t) => {
  let followed = 0;
  const http = createServer((request, response) => {
    if (request.url === '/secret') followed += 1;
    response.writeHead(302, { location: '/secret', 'x-secret': 'secret' }).end('secret');
  });
  const target = `http://127.0.0.1:${await listen(t, http)}/start`;
  const settings = { health_targets: [target] };

  const plain = await runBuiltin('health_check', { target }, { settings });
  const expected = await check({ target, status: 302 }, { settings });

  assert.deepEqual(plain.end, EXITED_1);
  assert.doesNotMatch(plain.stdout, /secret/);
  assert.deepEqual(resultsOf(expected), [[target, true, 'answered 302']]);
  assert.equal(followed, 0);
});

test('only what is listed can be named, to the letter', async (t) => {
  let connections = 0;
  const port = await listen(
    t,
    createTcpServer(() => {
      connections += 1;
    }),
  );
  const settings = { health_targets: [`tcp://127.0.0.1:${port}`] };

  for (const target of [
    `http://127.0.0.1:${port}`,
    `tcp://127.0.0.1:${port}/`,
    'http://169.254.169.254/',
    'services',
  ]) {
    const { end } = await runBuiltin('health_check', { target }, { settings });
    assert.equal(end.kind === 'error' ? end.code : undefined, 'not_allowed_on_node', target);
  }
  assert.equal(connections, 0);
});

test('a full disk is not well', async () => {
  const { end } = await runBuiltin('health_check', { target: 'disk', disk_percent: -1 });
  const well = await runBuiltin('health_check', { target: 'disk', disk_percent: 100 });

  assert.deepEqual([end, well.end], [EXITED_1, EXITED_0]);
});

test('who never answers is told as such, and a status goes with a target over HTTP alone', {
  timeout: 60_000,
}, async (t) => {
  const silent = createServer(() => undefined);
  const target = `http://127.0.0.1:${await listen(t, silent)}/`;
  t.after(() => silent.closeAllConnections());

  const told = await check({ target }, { settings: { health_targets: [target] } });
  const { end } = await runBuiltin('health_check', { target: 'broker', status: 200 });

  assert.deepEqual(resultsOf(told), [[target, false, 'no answer in time']]);
  assert.deepEqual(end, {
    kind: 'error',
    code: 'invalid_parameter',
    message: 'parameter status goes with a target over HTTP',
  });
});
