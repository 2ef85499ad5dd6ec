import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { createApp } from '../../../controller/http/app.js';
import { InvocationAnswer } from '../../../controller/http/schemas.js';
import { sha256Hex } from '../../../protocol/envelope.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { assertProblem, startTestHttp } from '../../support/http.js';
import { createScriptedServices, replaceServices, tokenOf } from '../../support/scripted-services.js';
import { until } from '../../support/until.js';

const HEADERS = { authorization: `Bearer ${tokenOf('operator')}`, 'content-type': 'application/json' };
const ASK = JSON.stringify({ action: 'ping', target: { nodes: ['pump-1'] } });

function post(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(`${url}/api/v1/invocations`, { method: 'POST', headers: { ...HEADERS, ...headers }, body: ASK });
}

test('a POST that ends in time answers 200 with the outcome', async (t) => {
  const scripted = createScriptedServices();
  const { url } = await startTestHttp(t, scripted.services);

  const pending = post(url);
  await until(() => scripted.waiting() === 1, { what: 'the POST waits' });
  scripted.end(scripted.created[0]?.id ?? '', 'completed');
  const answer = await pending;

  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('preference-applied'), null);
  assert.equal(InvocationAnswer.parse(await answer.json()).invocation.status, 'completed');
  assert.equal(scripted.waiting(), 0);
});

test('a POST that does not end in time answers 202 with Location and the applied preference', async (t) => {
  const scripted = createScriptedServices();
  const { url } = await startTestHttp(t, scripted.services);

  const answer = await post(url, { prefer: 'wait=0' });

  assert.equal(answer.status, 202);
  const { invocation } = InvocationAnswer.parse(await answer.json());
  assert.equal(answer.headers.get('location'), `/api/v1/invocations/${invocation.id}`);
  assert.equal(answer.headers.get('preference-applied'), 'wait=0');
  assert.equal((await post(url, { prefer: 'wait=1' })).status, 202);
  assert.equal(scripted.waiting(), 0);
});

test('a GET waits only when it prefers to', async (t) => {
  const scripted = createScriptedServices();
  const { url } = await startTestHttp(t, scripted.services);
  const { headers } = await post(url, { prefer: 'respond-async' });
  const address = `${url}${headers.get('location')}`;

  const atOnce = InvocationAnswer.parse(await (await fetch(address, { headers: HEADERS })).json());
  assert.equal(atOnce.invocation.status, 'executing');

  const pending = fetch(address, { headers: { ...HEADERS, prefer: 'wait=60' } });
  await until(() => scripted.waiting() === 1, { what: 'the GET waits' });
  scripted.end(atOnce.invocation.id, 'failed');
  assert.equal(InvocationAnswer.parse(await (await pending).json()).invocation.status, 'failed');
});

test('a client that hangs up while it waits frees its waiter, for a POST and for a GET', async (t) => {
  const scripted = createScriptedServices();
  const { url } = await startTestHttp(t, scripted.services);

  const asking = request(`${url}/api/v1/invocations`, { method: 'POST', headers: { ...HEADERS, prefer: 'wait=60' } });
  asking.on('error', () => undefined); // the hang-up is ours
  asking.end(ASK);
  await until(() => scripted.waiting() === 1, { what: 'the POST waits' });
  asking.destroy();
  await until(() => scripted.waiting() === 0, { what: 'the waiter of the POST is freed' });

  const path = `/api/v1/invocations/${scripted.created[0]?.id}`;
  const reading = request(`${url}${path}`, { headers: { ...HEADERS, prefer: 'wait=60' } });
  reading.on('error', () => undefined);
  reading.end();
  await until(() => scripted.waiting() === 1, { what: 'the GET waits' });
  reading.destroy();
  await until(() => scripted.waiting() === 0, { what: 'the waiter of the GET is freed' });
});

test('a client that hangs up while its ask is being stored is not waited for', async (t) => {
  const { services } = createScriptedServices();
  const { invocations } = services;
  let store: (() => void) | undefined;
  const stored = new Promise<void>((resolve) => {
    store = resolve;
  });
  let isAsked = false;
  let isDone = false;
  const { app } = await createApp({
    services: replaceServices(services, {
      invocations: {
        ...invocations,
        create: async (...ask) => {
          isAsked = true;
          await stored;
          return invocations.create(...ask);
        },
        executions: async () => {
          isDone = true;
          return { items: [], next_cursor: null };
        },
      },
    }),
    ...{ stopping: new AbortController().signal, clock: SYSTEM_CLOCK },
    log: createLogger('controller', { level: 'silent' }),
  });
  t.after(() => app.close());
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const connections = (): Promise<number> =>
    new Promise((counted) => app.server.getConnections((_error, count) => counted(count)));

  const asking = request(`${url}/api/v1/invocations`, { method: 'POST', headers: { ...HEADERS, prefer: 'wait=60' } });
  asking.on('error', () => undefined);
  asking.end(ASK);
  await until(() => isAsked, { what: 'the ask' });
  asking.destroy();
  await until(async () => (await connections()) === 0, { what: 'the hang-up is noticed' });
  store?.();

  await until(() => isDone, { what: 'the handler goes on without waiting' });
});

test('a stop answers those who wait with what there is', async (t) => {
  const scripted = createScriptedServices();
  const http = await startTestHttp(t, scripted.services);

  const pending = post(http.url, { prefer: 'wait=60' });
  await until(() => scripted.waiting() === 1, { what: 'the POST waits' });
  await http.stop();

  assert.equal((await pending).status, 202);
  assert.equal(scripted.waiting(), 0);
});

test('S-A-9: a denied ask is answered 403 with the address of its record', async (t) => {
  const scripted = createScriptedServices();
  const { invocations } = scripted.services;
  const replaced = replaceServices(scripted.services, {
    invocations: {
      ...invocations,
      create: async (...ask) => {
        const { invocation } = await invocations.create(...ask);
        return { invocation: { ...invocation, status: 'denied', error: 'reboot is danger' }, replayed: false };
      },
    },
  });
  const { url } = await startTestHttp(t, replaced);

  const answer = await post(url);

  const { detail } = await assertProblem(answer, 403, 'denied_by_policy');
  assert.equal(detail, 'reboot is danger');
  assert.equal(answer.headers.get('location'), `/api/v1/invocations/${scripted.created[0]?.id}`);
});

test('the digest that guards an Idempotency-Key is of the octets of the body', async (t) => {
  const digests: string[] = [];
  const { services } = createScriptedServices({ onCreate: (_ask, { bodySha256 }) => digests.push(bodySha256) });
  const { url } = await startTestHttp(t, services);

  await post(url, { prefer: 'wait=0', 'idempotency-key': 'a-key' });

  assert.deepEqual(digests, [sha256Hex(ASK)]);
  for (const key of ['', 'a key', 'x'.repeat(256)]) {
    await assertProblem(await post(url, { 'idempotency-key': key }), 400, 'invalid_request');
  }
});

test('output is handed out byte for byte, as a download', async (t) => {
  const bytes = Buffer.from('<script>\x00\xff', 'latin1');
  const { services } = createScriptedServices({
    outputOf: async (_org, _id, { stream }) => ({
      stream,
      bytes: stream === 'stdout' ? bytes : Buffer.alloc(0),
      complete: true,
      truncated: stream === 'stderr',
    }),
  });
  const { url } = await startTestHttp(t, services);
  const address = `${url}/api/v1/invocations/018f2a10-0000-7000-8000-000000000000/executions/pump-1/output`;

  const whole = await fetch(address, { headers: HEADERS });
  assert.deepEqual(Buffer.from(await whole.arrayBuffer()), bytes);
  assert.equal(whole.headers.get('content-type'), 'application/octet-stream');
  assert.equal(whole.headers.get('content-disposition'), 'attachment');
  assert.equal(whole.headers.get('muster-output-complete'), 'true');
  assert.equal(whole.headers.get('muster-output-truncated'), 'false');

  const tail = await fetch(`${address}?offset=8`, { headers: HEADERS });
  assert.deepEqual(Buffer.from(await tail.arrayBuffer()), bytes.subarray(8));
  const other = await fetch(`${address}?stream=stderr`, { headers: HEADERS });
  assert.equal(other.headers.get('muster-output-truncated'), 'true');
  await assertProblem(await fetch(`${address}?stream=stdin`, { headers: HEADERS }), 400, 'invalid_request');
});
