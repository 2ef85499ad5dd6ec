import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SandboxCreated, SandboxView } from '../../../controller/http/sandbox-schemas.js';
import type { Principal } from '../../../controller/services.js';
import { sha256Hex } from '../../../protocol/envelope.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { askFor } from '../../support/asks.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER, startTestCore, type TestCore } from '../../support/core.js';
import { assertProblem, startTestHttp } from '../../support/http.js';
import { setPolicy } from '../../support/policies.js';
import { makeSandbox } from '../../support/sandboxes.js';
import { startScriptedAgent } from '../../support/scripted-agent.js';

const BODY = { bodySha256: '1'.repeat(64) };
const WRITE = { name: 'prime', description: 'changes something', parameters: [] };
const READ = { name: 'gather_info', description: 'reads', parameters: [] };
const DAY_MS = 24 * 3_600_000;
const ASK = { name: 'ci', connections: [{ target: { group: 'pumps' }, actions: ['gather_*', 'prime'] }] };

test('A-42, A-44, A-113: a sandbox is made with its connections, paused, resumed and deleted, and belongs to its org', async (t) => {
  const { url, owner } = await startSite(t);

  const made = SandboxCreated.parse(await (await call(url, owner, 'POST', '/sandboxes', ASK)).json());
  const shown = SandboxView.strict().parse(await (await call(url, owner, 'GET', `/sandboxes/${made.id}`)).json());
  const paused = SandboxView.parse(
    await (await call(url, owner, 'PATCH', `/sandboxes/${made.id}`, { status: 'paused' })).json(),
  );
  const resumed = SandboxView.parse(
    await (await call(url, owner, 'PATCH', `/sandboxes/${made.id}`, { status: 'running' })).json(),
  );

  assert.match(made.token, /^msb_[a-z0-9]{16}_[a-f0-9]{64}$/);
  assert.deepEqual(
    shown.connections.map(({ id, ...connection }) => connection),
    ASK.connections,
  );
  assert.deepEqual([shown.status, paused.status, resumed.status], ['running', 'paused', 'running']);
  assert.equal(Date.parse(made.expires_at ?? '') - Date.parse(made.created_at), 90 * DAY_MS);
  await assertProblem(await call(url, owner, 'POST', '/sandboxes', ASK), 409, 'conflict');
  assert.equal((await call(url, owner, 'DELETE', `/sandboxes/${made.id}`)).status, 204);
  await assertProblem(await call(url, owner, 'GET', `/sandboxes/${made.id}`), 404, 'not_found');
  await assertProblem(await call(url, made.token, 'GET', '/me'), 401, 'unauthenticated');
  assert.equal((await call(url, owner, 'POST', '/sandboxes', ASK)).status, 201, 'the name is free again');
});

test('promise 2: the same ask for a sandbox under one key makes one, and gives the same token while it has that', async (t) => {
  const { muster, url, owner } = await startSite(t);
  const make = () =>
    fetch(`${url}/api/v1/sandboxes`, {
      method: 'POST',
      headers: { authorization: `Bearer ${owner}`, 'content-type': 'application/json', 'idempotency-key': 'one' },
      body: JSON.stringify(ASK),
    });

  const first = SandboxCreated.parse(await (await make()).json());
  const second = SandboxCreated.parse(await (await make()).json());
  const principal = await muster.core.services.authenticate(second.token);
  await muster.core.services.sandboxes.replaceToken(OWNER, first.id, {});

  assert.deepEqual(second, first);
  assert.equal(principal?.id, `sandbox:${first.id}`);
  await assertProblem(await make(), 409, 'idempotency_conflict');
});

test('the token is shown once, and of it only the hash is kept', async (t) => {
  const { muster, url, owner } = await startSite(t);
  const { token, id } = SandboxCreated.parse(await (await call(url, owner, 'POST', '/sandboxes', ASK)).json());
  const [, , secret = ''] = token.split('_');

  const listed = await (await call(url, owner, 'GET', '/sandboxes')).text();
  const row = await muster.store.read
    .selectFrom('sandboxes')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  const audit = JSON.stringify(await rowsOf(muster));

  assert.equal(row.secret_sha256, sha256Hex(secret));
  for (const text of [listed, JSON.stringify(row), audit]) assert.ok(!text.includes(secret) && !text.includes('msb_'));
  assert.ok(!audit.includes(row.secret_sha256), 'the trail has a fingerprint of the hash');
});

test('promise 20: a token that was replaced or has run out, and that of a deleted sandbox, end at once', async (t) => {
  let nowMs = SYSTEM_CLOCK.nowMs();
  const clock = { ...SYSTEM_CLOCK, nowMs: () => nowMs };
  const muster = await startTestCore(t, { clock });
  const { authenticate, sandboxes } = muster.core.services;
  const { id, token } = await makeSandbox(muster, 'ci');
  const id2 = (await makeSandbox(muster, 'other')).view;

  const replaced = await sandboxes.replaceToken(OWNER, id, { expires_in: '1h' });
  assert.equal(await authenticate(token), undefined);
  assert.equal((await authenticate(replaced?.token ?? ''))?.id, `sandbox:${id}`);
  nowMs += 3_600_000;
  assert.equal(await authenticate(replaced?.token ?? ''), undefined);
  await sandboxes.delete(OWNER, id2.id);
  assert.equal(await authenticate(id2.token), undefined);
  await assertRejectsCode(sandboxes.replaceToken(OWNER, id, { expires_in: '8785h' }), 'invalid_request');
});

test('a sandbox that is paused reads what it asked for and asks for nothing, and nobody approves what it asked before', async (t) => {
  const muster = await startFleet(t);
  const { services } = muster.core;
  const { invocations, sandboxes } = services;
  const { id, token, principal } = await makeSandbox(muster, 'ci');
  const { invocation } = await invocations.create(principal, asking('prime'), BODY);
  const { digest } = invocation;

  await sandboxes.change(OWNER, id, { status: 'paused' });
  const paused = await authenticated(muster, token);
  const refused = await assertRejectsCode(invocations.create(paused, asking('gather_info'), BODY), 'forbidden');
  await assertRejectsCode(invocations.approve(OWNER, invocation.id, { digest }), 'conflict');
  const seen = await services.seenBy(paused).invocations.get('default', invocation.id);
  await sandboxes.change(OWNER, id, { status: 'running' });
  const approved = await invocations.approve(OWNER, invocation.id, { digest });

  assert.equal(refused.message, 'The sandbox is paused');
  assert.equal(seen?.status, 'pending');
  assert.equal(approved?.approved_by, 'owner');
});

test('promise 19: where somebody else has to approve, nobody who was shown the token of a sandbox approves what it asks', async (t) => {
  const muster = await startFleet(t);
  const { invocations, sandboxes } = muster.core.services;
  await setPolicy(muster, { distinct_approver: true });
  const { id, principal } = await makeSandbox(muster, 'ci');
  const [second, third] = ['second', 'third'].map((name) => ({ ...OWNER, id: name }));
  assert.ok(second !== undefined && third !== undefined);
  await sandboxes.replaceToken(second, id, {});
  const { invocation } = await invocations.create(principal, asking('prime'), BODY);
  const approve = (by: Principal) => invocations.approve(by, invocation.id, { digest: invocation.digest });

  for (const holder of [OWNER, second]) {
    const { message } = await assertRejectsCode(approve(holder), 'forbidden');
    assert.equal(message, 'Somebody other than who asked has to approve this');
  }
  assert.equal((await approve(third))?.approved_by, 'third');
});

test('what a deleted sandbox asked for stays in the records, and nobody approves it', async (t) => {
  const muster = await startFleet(t);
  const { invocations, sandboxes } = muster.core.services;
  const { id, principal } = await makeSandbox(muster, 'ci');
  const { invocation } = await invocations.create(principal, asking('prime'), BODY);

  await sandboxes.delete(OWNER, id);

  await assertRejectsCode(invocations.approve(OWNER, invocation.id, { digest: invocation.digest }), 'conflict');
  assert.equal((await invocations.get('default', invocation.id))?.created_by, `sandbox:${id}`);
});

test('promise 21: each change of a sandbox has a row, and what was changed past the trail is found', async (t) => {
  const muster = await startTestCore(t);
  const { sandboxes, audit } = muster.core.services;
  const { id } = await makeSandbox(muster, 'ci');
  await sandboxes.change(OWNER, id, { status: 'paused' });
  await sandboxes.change(OWNER, id, { status: 'paused' });
  await sandboxes.replaceToken(OWNER, id, {});
  const { id: gone } = await makeSandbox(muster, 'gone');
  await sandboxes.delete(OWNER, gone);
  const faults = async () => (await audit.verify({})).findings.map(({ subject, detail }) => `${subject}: ${detail}`);

  const events = (await rowsOf(muster)).map(({ event }) => event).filter((event) => /sandbox/.test(event));
  assert.deepEqual(events, [
    ...['sandbox_created', 'sandbox_changed', 'sandbox_token_replaced', 'sandbox_created', 'sandbox_deleted'],
  ]);
  assert.deepEqual(await faults(), []);
  await muster.store.write((tx) => tx.updateTable('sandbox_connections').set({ actions: '["reboot"]' }).execute());
  await muster.store.write((tx) =>
    tx.updateTable('sandboxes').set({ status: 'running', secret_sha256: 'e' }).execute(),
  );
  assert.deepEqual(await faults(), [
    `sandbox:${id}: it may do other things than the trail says`,
    `sandbox:${id}: it is running, and the trail says paused`,
    `sandbox:${id}: it has another secret than the one that the trail tells of`,
  ]);
});

function rowsOf({ store }: TestCore) {
  return store.read.selectFrom('audit').selectAll().orderBy('seq').execute();
}

function asking(action: string) {
  return askFor({ nodes: ['pump-1'] }, { action });
}

async function authenticated(muster: TestCore, token: string): Promise<Principal> {
  const principal = await muster.core.services.authenticate(token);
  assert.ok(principal !== undefined);
  return principal;
}

async function startFleet(t: TestScope): Promise<TestCore> {
  const muster = await startTestCore(t);
  const script = { groups: ['pumps'], actions: [READ, WRITE] };
  await startScriptedAgent(t, { services: muster.core.services, brokerUrl: muster.brokerUrl, node: 'pump-1', script });
  return muster;
}

async function startSite(t: TestScope): Promise<{ muster: TestCore; url: string; owner: string }> {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  await services.people.createUser(OWNER, { id: OWNER.id, role: 'owner' });
  const { token } = await services.tokens.create(OWNER, { name: 'test' });
  const { url } = await startTestHttp(t, services);
  return { muster, url, owner: token };
}

function call(url: string, token: string, method: string, path: string, body?: unknown): Promise<Response> {
  return fetch(`${url}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
}
