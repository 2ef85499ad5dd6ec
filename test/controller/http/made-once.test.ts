import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { ensureOwnerToken } from '../../../controller/identity/api-tokens.js';
import { sha256Hex } from '../../../protocol/envelope.js';
import type { TestScope } from '../../support/broker.js';
import { startTestCore } from '../../support/core.js';
import { assertProblem, startTestHttp } from '../../support/http.js';

const KEY = { 'idempotency-key': 'k' };
const PASSWORD = 'correct horse battery';

/** What is posted where, what other body there could be, and which rows it makes. */
const MAKERS = [
  {
    path: '/tokens',
    body: { name: 'ci', expires_in: '1h' },
    other: { name: 'other' },
    rows: { table: 'api_tokens', by: ['name', 'ci'] },
  },
  {
    path: '/users',
    body: { id: 'ann', role: 'viewer', password: PASSWORD },
    other: { id: 'ben', role: 'viewer' },
    rows: { table: 'users', by: ['id', 'ann'] },
  },
  {
    path: '/enrollment-tokens',
    body: { uses: 3 },
    other: { uses: 4 },
    rows: { table: 'enrollment_tokens', by: ['uses_left', 3] },
  },
  {
    path: '/node-tokens',
    body: { node: 'kiosk-1' },
    other: { node: 'kiosk-2' },
    rows: { table: 'node_tokens', by: ['node', 'kiosk-1'] },
  },
] as const;

for (const { path, body, other, rows } of MAKERS) {
  test(`promise 2: posts to ${path} under one key make one, and all get the same answer`, async (t) => {
    const { muster, post } = await startApi(t);

    const answers = await Promise.all(Array.from({ length: 10 }, () => post(path, body, KEY)));
    const texts = await Promise.all(answers.map((each) => each.text()));

    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [201]);
    assert.equal(new Set(texts).size, 1);
    const [column, value] = rows.by;
    const found = await muster.store.read.selectFrom(rows.table).selectAll().execute();
    assert.equal(found.filter((row) => Reflect.get(row, column) === value).length, 1);
    await assertProblem(await post(path, other, KEY), 409, 'idempotency_conflict');
    await assertProblem(await post('/enrollment-tokens', { uses: 9 }, KEY), 409, 'idempotency_conflict');
  });
}

test('a token that came twice is one that works, and neither its secret nor a password can be told from the store', async (t) => {
  const { muster, url, post } = await startApi(t);
  await post('/users', { id: 'ann', role: 'viewer', password: PASSWORD }, { 'idempotency-key': 'user' });
  await post('/tokens', { name: 'ci' }, KEY);
  const { id, token } = await tokenIn(await post('/tokens', { name: 'ci' }, KEY));

  const me = await fetch(`${url}/api/v1/me`, { headers: { authorization: `Bearer ${token}` } });

  assert.equal(me.status, 200);
  const secret = token.split('_')[2] ?? '';
  const stored = JSON.stringify(await muster.store.read.selectFrom('idempotency_keys').selectAll().execute());
  for (const told of [secret, sha256Hex(secret), sha256Hex(JSON.stringify({ name: 'ci' })), PASSWORD]) {
    assert.ok(!stored.includes(told));
  }
  const body = JSON.stringify({ id: 'ann', role: 'viewer', password: PASSWORD });
  assert.ok(!stored.includes(sha256Hex(body)), 'by which passwords could be guessed fast');
  assert.match(stored, new RegExp(id));
});

test('a key is of one token of its user, and what it made is not made again once it is deleted', async (t) => {
  const { url, post } = await startApi(t);
  const { id } = await tokenIn(await post('/tokens', { name: 'ci' }, KEY));
  const { token: second } = await tokenIn(await post('/tokens', { name: 'second' }));
  const send = (method: string, path: string, token: string) =>
    fetch(`${url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(method === 'POST' ? { ...JSON_BODY, ...KEY } : {}) },
      body: method === 'POST' ? JSON.stringify({ name: 'ci' }) : null,
    });

  await assertProblem(await send('POST', '/tokens', second), 409, 'idempotency_conflict');
  assert.equal((await send('DELETE', `/tokens/${id}`, second)).status, 204);
  await assertProblem(await post('/tokens', { name: 'ci' }, KEY), 409, 'idempotency_conflict');
  await assertProblem(
    await post('/users', { id: 'owner', role: 'viewer' }, { 'idempotency-key': 'x' }),
    409,
    'conflict',
  );
  await assertProblem(
    await post('/users', { id: 'owner', role: 'viewer' }, { 'idempotency-key': 'x' }),
    409,
    'conflict',
  );
});

const JSON_BODY = { 'content-type': 'application/json' };

async function startApi(t: TestScope) {
  const muster = await startTestCore(t);
  const { url } = await startTestHttp(t, muster.core.services);
  const owner = await ensureOwnerToken(muster.store, 'default', Date.now());
  const post = (path: string, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
    fetch(`${url}/api/v1${path}`, {
      method: 'POST',
      headers: { ...JSON_BODY, authorization: `Bearer ${owner}`, ...headers },
      body: JSON.stringify(body),
    });
  return { muster, url, post };
}

async function tokenIn(response: Response): Promise<{ id: string; token: string }> {
  return z.object({ id: z.string(), token: z.string() }).parse(await response.json());
}
