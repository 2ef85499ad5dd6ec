import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { InvocationAnswer, InvocationPreview } from '../../../controller/http/schemas.js';
import { ensureOwnerToken } from '../../../controller/identity/api-tokens.js';
import type { TestScope } from '../../support/broker.js';
import { startTestCore, type TestCore } from '../../support/core.js';
import { assertProblem, startTestHttp } from '../../support/http.js';
import { type ScriptedAgent, startScriptedAgent } from '../../support/scripted-agent.js';

const ASK = { action: 'ping', target: { nodes: ['pump-1'] } };

type Api = Readonly<{
  muster: TestCore;
  agent: ScriptedAgent;
  /** Posts this body, or the text as it is. */
  post: (path: string, body: unknown, headers?: Readonly<Record<string, string>>) => Promise<Response>;
}>;

test('promise 2: fifty posts at once with one key are one invocation, offered once, and all get it', async (t) => {
  const { muster, agent, post } = await startApi(t);
  const key = { 'idempotency-key': 'k', prefer: 'wait=10' };

  const posts = Array.from({ length: 50 }, () => post('', ASK, key));
  await agent.result(await agent.nextOffer());
  const answers = await Promise.all(posts);

  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  const ids = await Promise.all(answers.map(async (each) => InvocationAnswer.parse(await each.json()).invocation.id));
  assert.equal(new Set(ids).size, 1);
  for (const table of ['invocations', 'executions', 'idempotency_keys'] as const) {
    assert.equal((await muster.store.read.selectFrom(table).selectAll().execute()).length, 1, table);
  }
  assert.equal(agent.offers.length, 1);
});

test('promise 2: a key is of one body to the octet, and outlives a restart of the controller', async (t) => {
  const { muster, post } = await startApi(t);
  const key = { 'idempotency-key': 'k', prefer: 'wait=0' };
  const first = await idOf(await post('', ASK, key));

  await assertProblem(await post('', { ...ASK, reason: 'other' }, key), 409, 'idempotency_conflict');
  await assertProblem(await post('', `${JSON.stringify(ASK)} `, key), 409, 'idempotency_conflict');
  for (const wrong of ['x'.repeat(256), 'a b']) {
    await assertProblem(await post('', ASK, { 'idempotency-key': wrong }), 400, 'invalid_request');
  }
  await muster.stop();
  await muster.start();
  const { url } = await startTestHttp(t, muster.core.services);
  const again = await poster(url, await tokenOf(muster))('', ASK, key);

  assert.equal(await idOf(again), first);
});

test('an ask with the digest of a preview is answered 409 once it would come to something else, with what to do', async (t) => {
  const { muster, post } = await startApi(t);
  const body = { action: 'ping', target: { fleet: true } };
  const { digest } = InvocationPreview.parse(await (await post('/preview', body)).json());

  assert.equal((await post('', { ...body, digest }, { prefer: 'wait=0' })).status, 202);
  await startScriptedAgent(t, { services: muster.core.services, brokerUrl: muster.brokerUrl, node: 'pump-2' });
  const problem = await assertProblem(await post('', { ...body, digest }), 409, 'plan_changed');
  assert.match(problem.next, /look again/);
});

const BAD: readonly unknown[] = [
  '',
  '{',
  [],
  { ...ASK, digest: 'x' },
  { ...ASK, batch: {} },
  { ...ASK, batch: { size: '10' } },
  { ...ASK, batch: { size: 1, __proto__x: 1 } },
  { ...ASK, batch: { size: 1, pause: 'soon' } },
  { ...ASK, batch: { size: 1, max_failed: '-5%' } },
  { ...ASK, batch: [1] },
  { ...ASK, dry_run: true },
  '{"action":"ping","target":{"fleet":true},"batch":{"size":1,"size":2}}',
  `{"action":"ping","target":{"fleet":true},"batch":${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
];

test('a body of a preview or an ask that is wrong is refused with 400 and leaves nothing', async (t) => {
  const { muster, post } = await startApi(t);
  for (const [index, body] of BAD.entries()) {
    for (const path of ['', '/preview']) {
      const { status } = await post(path, body);
      assert.equal(status, 400, `${path} ${index}`);
    }
  }
  assert.equal((await post('/preview', `{"reason":"${'x'.repeat(300_000)}"}`)).status, 413);
  assert.deepEqual((await muster.core.services.invocations.list('default', { limit: 1 })).items, []);
});

async function startApi(t: TestScope): Promise<Api> {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });
  const { url } = await startTestHttp(t, services);
  return { muster, agent, post: poster(url, await tokenOf(muster)) };
}

function poster(url: string, token: string): Api['post'] {
  return (path, body, headers = {}) =>
    fetch(`${url}/api/v1/invocations${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
}

/** The owner's token of this store; made once, and known from then on. */
async function tokenOf({ store, directory }: TestCore): Promise<string> {
  const made = await ensureOwnerToken(store, 'default', Date.now());
  const file = join(directory, 'token');
  if (made !== undefined) writeFileSync(file, made);
  return readFileSync(file, 'utf8');
}

async function idOf(response: Response): Promise<string> {
  return InvocationAnswer.parse(await response.json()).invocation.id;
}
