import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { httpUrl, startMetricsServer } from '../../runtime/metrics-server.js';
import { assertRejectsCode } from '../support/assert-code.js';

test('metrics are served as the registry renders them', async (t) => {
  const { url } = await start(t);

  const response = await fetch(`${url}/metrics?name=x`);

  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4');
  assert.equal(await response.text(), 'up 1\n');
});

test('a part is alive before it is ready, and says in a sentence why it is not ready', async (t) => {
  let reason: string | undefined = 'no connection to the broker';
  const { url } = await start(t, { notReady: () => reason });

  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  const before = await fetch(`${url}/readyz`);
  assert.equal(before.status, 503);
  assert.equal(await before.text(), 'no connection to the broker\n');

  reason = undefined;
  assert.equal((await fetch(`${url}/readyz`)).status, 200);
});

test('only GET and only the three paths are answered', async (t) => {
  const { url } = await start(t);
  assert.equal((await fetch(`${url}/metrics`, { method: 'POST', body: 'x' })).status, 405);
  assert.equal((await fetch(`${url}/`)).status, 404);
  assert.equal((await fetch(`${url}/metrics/../secret`)).status, 404);
});

test('metrics that cannot be read answer 500 and nothing of the cause', async (t) => {
  const { url } = await start(t, { render: () => Promise.reject(new Error('secret')) });
  const response = await fetch(`${url}/metrics`);
  assert.equal(response.status, 500);
  assert.doesNotMatch(await response.text(), /secret/);
});

test('a taken port is said with its number', async (t) => {
  const { port } = await start(t);
  const { message } = await assertRejectsCode(start(t, { port }), 'port_in_use');
  assert.ok(message.includes(String(port)));
});

test('an address that this machine does not have is a fault of the configuration', async (t) => {
  await assertRejectsCode(start(t, { host: '192.0.2.1' }), 'config_invalid');
});

test('a stop does not wait for a client that keeps its connection', async (t) => {
  const { port, stop } = await start(t);
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');

  await stop();

  if (!socket.closed) await once(socket, 'close', { signal: AbortSignal.timeout(10_000) });
});

test('an IPv6 address is written with brackets', () => {
  assert.equal(httpUrl('::1', 80), 'http://[::1]:80');
  assert.equal(httpUrl('127.0.0.1', 80), 'http://127.0.0.1:80');
});

async function start(t: TestContext, options: Partial<Parameters<typeof startMetricsServer>[0]> = {}) {
  const server = await startMetricsServer({
    host: '127.0.0.1',
    port: 0,
    render: async () => ({ body: 'up 1\n', contentType: 'text/plain; version=0.0.4' }),
    notReady: () => undefined,
    ...options,
  });
  t.after(() => server.stop());
  return { ...server, url: httpUrl('127.0.0.1', server.port) };
}
