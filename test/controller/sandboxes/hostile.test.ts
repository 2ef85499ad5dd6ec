import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { assertRejectsCode } from '../../support/assert-code.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER, startTestCore, type TestCore } from '../../support/core.js';
import { startTestHttp } from '../../support/http.js';
import { makeSandbox, type TestSandbox } from '../../support/sandboxes.js';
import { type ScriptedAgent, startScriptedAgent } from '../../support/scripted-agent.js';

const ACTIONS = ['gather_info', 'prime'].map((name) => ({ name, description: '', parameters: [] }));
const WRITE = { action: 'prime', target: { nodes: ['pump-1'] } };
const Waiting = z.object({ invocation: z.object({ id: z.string(), digest: z.string(), status: z.string() }) });

test('a sandbox that tries to approve its own ask by every route gains nothing', async (t) => {
  const { muster, url, sandbox, agent } = await startSite(t);
  const { services } = muster.core;
  const { token } = sandbox;
  const answer = await send({ url, token }, 'POST /api/v1/invocations', { ...WRITE, confirm: true });
  const { invocation } = Waiting.parse(await answer.json());
  const { id, digest } = invocation;
  const tries: readonly (readonly [route: string, body: unknown])[] = [
    [`POST /api/v1/invocations/${id}/approve`, { digest }],
    [`POST /api/v1/invocations/${id}/deny`, {}],
    [`POST /${sandbox.id}/actions/invocations/${id}/approve`, { digest }],
    [`POST /${sandbox.id}/actions/invocations/${id}/deny`, {}],
    ['POST /api/v1/tokens', { name: 'mine' }],
    ['POST /api/v1/tokens', { name: 'mine', user: 'owner' }],
    ['POST /api/v1/users', { id: 'eve', role: 'admin', password: 'a long password' }],
    ['POST /api/v1/sandboxes', { name: 'more', connections: [{ target: { fleet: true } }] }],
    [`PATCH /api/v1/sandboxes/${sandbox.id}`, { status: 'running' }],
    [`POST /api/v1/sandboxes/${sandbox.id}/token`, {}],
    ['PUT /api/v1/policy', { v: 1, risks: [{ actions: ['*'], risk: 'read' }] }],
    ['POST /api/actions/queue', { machine_id: 'pump-1', action_type: 'message', data: { message: 'x' } }],
    ['POST /api/containers/box/actions', { action: 'STOP' }],
    ['POST /api/v1/broker-credentials', { role: 'controller' }],
    ['POST /api/v1/enrollment-tokens', {}],
    ['PATCH /api/v1/nodes/pump-1', { labels: {} }],
  ];

  for (const [route, body] of tries) {
    const { status } = await send({ url, token }, route, body);
    assert.ok(status === 401 || status === 403, `${route}: ${status}`);
  }
  await assertRejectsCode(services.invocations.approve(sandbox.principal, id, { digest }), 'forbidden');
  await assertRejectsCode(services.invocations.deny(sandbox.principal, id, {}), 'forbidden');
  // Nor does a person get a token that speaks for it, or for more than a sandbox.
  await assertRejectsCode(services.tokens.create(OWNER, { name: 'x', user: sandbox.principal.id }), 'not_found');
  await assertRejectsCode(services.people.createUser(sandbox.principal, { id: 'eve', role: 'viewer' }), 'forbidden');
  assert.equal((await services.invocations.get('default', id))?.status, 'pending');
  assert.equal(agent.offers.length, 0);
});

test('of a flood no more than 60 a minute are taken, each refusal says when to come back, and people are answered meanwhile', async (t) => {
  const { url, sandbox, owner } = await startSite(t, { runs: true });
  const read = { action: 'gather_info', target: { nodes: ['pump-1'] } };

  const sandboxCaller = { url, token: sandbox.token, headers: { prefer: 'wait=0' } };

  const flood = Promise.all(Array.from({ length: 120 }, () => send(sandboxCaller, 'POST /api/v1/invocations', read)));
  const person = await send({ url, token: owner }, 'POST /api/v1/invocations', read);
  const answers = await flood;

  assert.equal(person.status, 200);
  assert.equal(answers.filter(({ ok }) => ok).length, 60);
  for (const { ok, status, headers } of answers) {
    if (ok) continue;
    assert.ok(status === 429, String(status));
    assert.match(headers.get('retry-after') ?? '', /^[1-9]\d?$/);
  }
});

test('deep, giant and garbled bodies are refused before anything is looked up', async (t) => {
  const { muster, url, sandbox } = await startSite(t);
  const before = await tables(muster);
  const bodies: readonly (readonly [body: string, status: number])[] = [
    [`${'['.repeat(5_000)}${']'.repeat(5_000)}`, 400],
    [`{"integration":"node:pump-1","action":"prime","params":${'{"a":'.repeat(40)}1${'}'.repeat(40)}}`, 400],
    [JSON.stringify({ integration: 'x'.repeat(300 * 1024), action: 'prime' }), 413],
    [JSON.stringify({ integration: 'node:pump-1', action: 'prime', params: { a: 'x'.repeat(200 * 1024) } }), 400],
    [JSON.stringify({ integration: `node:${'x'.repeat(1000)}`, action: 'prime' }), 400],
    ['{"integration":"node:pump-1","integration":"node:pump-2","action":"prime"}', 400],
    ['{"__proto__":{"role":"owner"},"integration":"node:pump-1","action":"prime"}', 400],
    ['{"integration":"node:pump-1","action":"prime","role":"owner"}', 400],
    ['\u0000', 400],
    ['null', 400],
  ];

  for (const [body, expected] of bodies) {
    const response = await fetch(`${url}/${sandbox.id}/actions/invoke`, {
      method: 'POST',
      headers: { authorization: `Bearer ${sandbox.token}`, 'content-type': 'application/json' },
      body,
    });
    const { error } = z.object({ error: z.string() }).parse(await response.json());
    assert.equal(response.status, expected, `${body.slice(0, 80)}: ${error}`);
    assert.ok(error.length < 1024, 'what was sent does not come back whole');
    assert.doesNotMatch(error, /node_modules|\.ts|select /i);
  }
  assert.deepEqual(await tables(muster), before);
});

test('a sandbox that has ended in the middle of its asks stores nothing more', async (t) => {
  const { muster, url, sandbox } = await startSite(t);
  const caller = { url, token: sandbox.token, headers: { prefer: 'wait=0' } };
  const read = { action: 'gather_info', target: { fleet: true } };
  const count = async () => (await muster.store.read.selectFrom('invocations').select('id').execute()).length;
  const asks = Array.from({ length: 40 }, () => send(caller, 'POST /api/v1/invocations', read));

  await muster.core.services.sandboxes.delete(OWNER, sandbox.id);
  const stored = await count();
  const after = await send(caller, 'POST /api/v1/invocations', WRITE);
  const answers = await Promise.all(asks);

  assert.equal(after.status, 401);
  assert.equal(await count(), stored);
  assert.equal(answers.filter(({ ok }) => ok).length, stored);
});

async function tables({ store: { read } }: TestCore) {
  return {
    invocations: await read.selectFrom('invocations').selectAll().execute(),
    audit: await read.selectFrom('audit').select('seq').execute(),
  };
}

type Caller = Readonly<{ url: string; token: string; headers?: Readonly<Record<string, string>> }>;

function send({ url, token, headers = {} }: Caller, route: string, body?: unknown): Promise<Response> {
  const [method = '', path = ''] = route.split(' ');
  return fetch(`${url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
}

type Site = Readonly<{ muster: TestCore; url: string; agent: ScriptedAgent; sandbox: TestSandbox; owner: string }>;

async function startSite(t: TestScope, { runs = false }: { runs?: boolean } = {}): Promise<Site> {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  await services.people.createUser(OWNER, { id: OWNER.id, role: 'owner' });
  const script = { actions: ACTIONS, runs };
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1', script });
  const sandbox = await makeSandbox(muster, 'eve');
  const { token: owner } = await services.tokens.create(OWNER, { name: 'test' });
  const { url } = await startTestHttp(t, services);
  return { muster, url, agent, sandbox, owner };
}
