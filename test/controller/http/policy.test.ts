import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PolicyVersionView, PolicyView } from '../../../controller/http/policy-schemas.js';
import { InvocationAnswer, pageOf } from '../../../controller/http/schemas.js';
import { assertProblem } from '../../support/http.js';
import { startTestController, type TestController } from '../../support/muster.js';
import { setPolicy } from '../../support/policies.js';

const PRIME = { name: 'prime', description: '', parameters: [] };

type Headers = Readonly<Record<string, string>>;

test('the policy is read with its ETag, replaced over it, and its versions are listed', async (t) => {
  const controller = await startTestController(t);
  const shipped = await get(controller, '/policy');
  assert.equal(shipped.headers.get('etag'), '"0"');
  assert.equal(PolicyView.parse(await shipped.json()).source, 'shipped');

  const put = await replace(controller, { v: 1, distinct_approver: true }, { 'if-match': '"0"' });

  assert.deepEqual([put.status, put.headers.get('etag')], [200, '"1"']);
  const { policy, created_by } = PolicyView.parse(await put.json());
  assert.deepEqual([policy.distinct_approver, policy.approval_time, created_by], [true, '5m', 'owner']);
  const read = PolicyView.parse(await (await get(controller, '/policy')).json());
  assert.deepEqual([read.version, read.policy], [1, policy]);
  const { items } = pageOf(PolicyVersionView).parse(await (await get(controller, '/policy/versions')).json());
  assert.deepEqual(
    items.map(({ version, sha256 }) => [version, sha256]),
    [[1, read.sha256]],
  );
  assert.equal(PolicyView.parse(await (await get(controller, '/policy/versions/0')).json()).version, 0);
  await assertProblem(await get(controller, '/policy/versions/2'), 404, 'not_found');
});

test('what others may have changed is not overwritten: 428 without If-Match, 412 with another one', async (t) => {
  const controller = await startTestController(t);
  await setPolicy(controller.core, { distinct_approver: true });

  await assertProblem(await replace(controller, { v: 1 }), 428, 'precondition_required');
  for (const header of ['"0"', 'W/"1"', '1', '"1', '"11"', '']) {
    await assertProblem(await replace(controller, { v: 1 }, { 'if-match': header }), 412, 'precondition_failed');
  }

  assert.equal((await replace(controller, { v: 1 }, { 'if-match': '"7", "1"' })).status, 200);
  assert.equal((await replace(controller, { v: 1, approval_time: '1h' }, { 'if-match': '*' })).status, 200);
});

test('a bad policy is refused whole with each fault, and the one in force stays', async (t) => {
  const controller = await startTestController(t);
  const star = { 'if-match': '*' };
  const many = Array.from({ length: 201 }, () => ({ actions: ['a'], risk: 'read' }));
  const users = Array.from({ length: 100 }, (_, index) => `${'u'.repeat(55)}${index}`);
  const giant = Array.from({ length: 15 }, () => ({ ask: { users } }));

  const problem = await assertProblem(
    await replace(controller, { v: 1, risk: [], access: [{ ask: {} }], limits: { asks_per_minute: -1 } }, star),
    400,
    'invalid_request',
  );
  assert.deepEqual(problem.errors?.map(({ pointer }) => pointer).sort(), [
    '/access/0/ask',
    '/limits/asks_per_minute',
    '/risk',
  ]);
  for (const body of [
    {},
    [],
    'null',
    { v: 2 },
    { v: 1, risks: many },
    { v: 1, access: giant },
    { v: 1, protected: [{}] },
  ]) {
    await assertProblem(await replace(controller, body, star), 400, 'invalid_request');
  }
  for (const body of ['{"v":1,"__proto__":{"v":1}}', '{"v":1,"v":1}', `{"v":${'['.repeat(100_000)}`, 'v: 1']) {
    await assertProblem(await replace(controller, body, star), 400, 'malformed_json');
  }
  const yaml = await replace(controller, 'v: 1', { ...star, 'content-type': 'application/yaml' });
  await assertProblem(yaml, 415, 'unsupported_media_type');
  const large = await replace(controller, { v: 1, risks: 'x'.repeat(300_000) }, star);
  await assertProblem(large, 413, 'body_too_large');
  assert.equal((await get(controller, '/policy')).headers.get('etag'), '"0"');
});

test('only owners replace the policy, everybody of the org reads it', async (t) => {
  const controller = await startTestController(t);
  for (const role of ['viewer', 'operator', 'admin']) {
    await controller.muster('user', 'create', role, '--role', role);
    const { stdout } = await controller.muster('token', 'create', '--name', 'test', '--user', role);
    const as = { ...controller, token: stdout.trim() };

    assert.equal((await get(as, '/policy')).status, 200);
    await assertProblem(await replace(as, { v: 1 }, { 'if-match': '*' }), 403, 'forbidden');
  }
});

test('promise 15: an ask past the limit is told with 429 and the seconds until the next', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('pump-1', { actions: [PRIME] });
  await setPolicy(controller.core, { limits: { asks_per_minute: 1 } });
  assert.equal((await askPrime(controller)).status, 202);

  const answer = await askPrime(controller);

  const seconds = Number(answer.headers.get('retry-after'));
  assert.ok(seconds >= 1 && seconds <= 60);
  await assertProblem(answer, 429, 'rate_limited');
});

test('a protected node without a reason is told with its code, and with one it runs', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('pump-1', { actions: [PRIME], labels: { protected: 'true' } });
  await setPolicy(controller.core, { protected: [{ labels: { protected: 'true' } }] });

  await assertProblem(await askPrime(controller), 403, 'reason_required');

  const { invocation } = InvocationAnswer.parse(await (await askPrime(controller, { reason: 'ticket 1' })).json());
  assert.deepEqual([invocation.status, invocation.reason], ['approved', 'ticket 1']);
});

function get({ url, token }: Pick<TestController, 'url' | 'token'>, path: string): Promise<Response> {
  return fetch(`${url}/api/v1${path}`, { headers: { authorization: `Bearer ${token}` } });
}

function replace(
  { url, token }: Pick<TestController, 'url' | 'token'>,
  body: unknown,
  headers: Headers = {},
): Promise<Response> {
  return fetch(`${url}/api/v1/policy`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

function askPrime({ url, token }: TestController, changes: object = {}): Promise<Response> {
  return fetch(`${url}/api/v1/invocations`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', prefer: 'wait=0' },
    body: JSON.stringify({ action: 'prime', target: { nodes: ['pump-1'] }, confirm: true, ...changes }),
  });
}
