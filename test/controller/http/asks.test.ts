import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvocationAnswer, InvocationView, pageOf } from '../../../controller/http/schemas.js';
import type { ErrorCode } from '../../../protocol/errors.js';
import { assertProblem } from '../../support/http.js';
import { startTestController, type TestController } from '../../support/muster.js';

const PROBE = {
  name: 'probe',
  description: '',
  parameters: [
    { name: 'host', type: 'ip' as const, required: true, description: '' },
    { name: 'count', type: 'integer' as const, required: false, description: '' },
  ],
};

const GOOD = { action: 'probe', target: { nodes: ['pump-1'] }, parameters: { host: '10.0.0.1' }, confirm: true };

function post({ url, token }: TestController, body: unknown, headers: Readonly<Record<string, string>> = {}) {
  return fetch(`${url}/api/v1/invocations`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', prefer: 'wait=0', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

async function stored({ url, token }: TestController): Promise<readonly InvocationView[]> {
  const answer = await fetch(`${url}/api/v1/invocations`, { headers: { authorization: `Bearer ${token}` } });
  return pageOf(InvocationView).parse(await answer.json()).items;
}

test('S-A-11: a bad ask gets its status and code, and nothing of it is stored', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('pump-1', { actions: [PROBE] });

  const table: readonly (readonly [ask: unknown, status: number, code: ErrorCode])[] = [
    ['{"action":', 400, 'malformed_json'],
    [{ ...GOOD, sudo: true }, 400, 'invalid_request'],
    [{ ...GOOD, action: 'nothing' }, 422, 'unknown_action'],
    [{ ...GOOD, target: { nodes: ['pump-1', 'pump-2'] } }, 422, 'unknown_node'],
    [{ ...GOOD, target: { group: 'fans' } }, 422, 'unknown_group'],
    [{ ...GOOD, target: { labels: { site: 'north' } } }, 422, 'no_target'],
    [{ ...GOOD, parameters: {} }, 422, 'missing_required_parameter'],
    [{ ...GOOD, parameters: { host: 'everywhere' } }, 422, 'invalid_parameter'],
    [{ ...GOOD, parameters: { host: '10.0.0.1', count: 'many' } }, 422, 'invalid_parameter'],
    [{ ...GOOD, parameters: { host: '10.0.0.1', count: 1.5 } }, 422, 'invalid_parameter'],
    [{ ...GOOD, parameters: { host: '10.0.0.1', other: 1 } }, 422, 'invalid_parameter'],
    [{ ...GOOD, expires_in: '169h' }, 400, 'invalid_request'],
    [{ ...GOOD, spread: '169h' }, 400, 'invalid_request'],
    [{ ...GOOD, timeout: '169h' }, 400, 'invalid_request'],
  ];
  for (const [ask, status, code] of table) await assertProblem(await post(controller, ask), status, code);

  await assertProblem(await post({ ...controller, token: 'mst_wrong_wrong' }, GOOD), 401, 'unauthenticated');
  const withoutToken = await fetch(`${controller.url}/api/v1/invocations`, { method: 'POST', body: '{}' });
  await assertProblem(withoutToken, 401, 'unauthenticated');
  assert.deepEqual(await stored(controller), []);
});

test('fifty asks at once with one Idempotency-Key are one invocation; another body is a conflict', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('pump-1', { actions: [PROBE] });
  const key = { 'idempotency-key': 'the-same' };

  const answers = await Promise.all(Array.from({ length: 50 }, () => post(controller, GOOD, key)));

  const ids = new Set<string>();
  for (const answer of answers) {
    assert.equal(answer.status, 202);
    ids.add(InvocationAnswer.parse(await answer.json()).invocation.id);
  }
  assert.equal(ids.size, 1);
  await assertProblem(await post(controller, { ...GOOD, reason: 'other' }, key), 409, 'idempotency_conflict');
  assert.deepEqual(
    (await stored(controller)).map(({ id }) => id),
    [...ids],
  );
});

test('a list goes on where its cursor says, to the end; a cursor of nobody is refused', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('pump-1', { actions: [PROBE] });
  for (let count = 0; count < 5; count += 1) assert.equal((await post(controller, GOOD)).status, 202);
  const headers = { authorization: `Bearer ${controller.token}` };
  const list = (query: string) => fetch(`${controller.url}/api/v1/invocations?${query}`, { headers });

  const seen: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const answer = await list(`limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
    const page = pageOf(InvocationView).parse(await answer.json());
    assert.ok(page.items.length <= 2);
    seen.push(...page.items.map(({ id }) => id));
    cursor = page.next_cursor;
  }

  assert.equal(new Set(seen).size, 5);
  assert.deepEqual(seen, [...seen].sort().reverse());
  for (const forged of ['x', '%00', "'%20OR%201=1--", 'AAAA', 'eyJpZCI6MX0']) {
    await assertProblem(await list(`cursor=${forged}`), 400, 'invalid_request');
  }
});
