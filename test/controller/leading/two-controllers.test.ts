import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from '../../../cli/client.js';
import { InvocationAnswer, InvocationView, NodeView, Problem } from '../../../controller/http/schemas.js';
import { openEvents, openWebSocket } from '../../support/events.js';
import { askPlainly } from '../../support/plain-http.js';
import { cookieOf } from '../../support/sessions.js';
import { roleOf, startSeveral, submit } from '../../support/several.js';
import { until } from '../../support/until.js';

test('any controller answers, with what the one that leads knows', async (t) => {
  const several = await startSeveral(t);
  if (several === undefined) return t.skip('PostgreSQL is not installed');
  const [leading, standing] = several.controllers;
  assert.equal(await roleOf(leading), 'leader');
  assert.equal(await roleOf(standing), 'standby');

  const streams = [await openEvents(t, standing), await openWebSocket(t, standing)];

  const { invocation } = await standing.client.call(InvocationAnswer, {
    ...{ method: 'POST', path: '/invocations', waitSeconds: 30 },
    body: { action: 'count.sh', target: { nodes: ['node-1'] }, confirm: true },
  });
  assert.equal(invocation.status, 'completed');
  assert.equal(several.started().length, 1);
  for (const { next } of streams) await next('action_completed', invocation.id);

  for (const { client } of several.controllers) {
    assert.deepEqual(
      (await client.list(NodeView, { path: '/nodes' })).map(({ state }) => state),
      ['online'],
    );
    assert.equal(
      (await client.call(InvocationAnswer, { path: `/invocations/${invocation.id}` })).invocation.status,
      'completed',
    );
  }
  const keys = await Promise.all(
    Array.from({ length: 10 }, (_, n) => submit([several.controllers[n % 2 ? 0 : 1].client], 'one-key')),
  );
  assert.equal(new Set(keys.map(({ id }) => id)).size, 1);
  const metrics = await (await fetch(`${standing.url}/metrics`)).text();
  assert.match(metrics, /^muster_controller_leads 0$/m);
});

test('the dashboard, and whoever has signed in there, is at every controller', async (t) => {
  const several = await startSeveral(t);
  if (several === undefined) return t.skip('PostgreSQL is not installed');
  const [leading, standing] = several.controllers;
  const pageAt = async ({ url }: { url: string }): Promise<unknown> => {
    const { status, headers } = await fetch(`${url}/`);
    return { status, type: headers.get('content-type'), etag: headers.get('etag') };
  };

  const begun = await askPlainly(standing.url, {
    ...{ method: 'POST', path: '/api/v1/auth/session', body: JSON.stringify({ token: standing.token }) },
    headers: { 'content-type': 'application/json', origin: standing.url },
  });

  assert.equal(begun.status, 201, begun.text);
  for (const { url } of several.controllers) {
    const me = await askPlainly(url, { path: '/api/v1/me', headers: { cookie: cookieOf(begun) } });
    assert.deepEqual([me.status, JSON.parse(me.text).id], [200, 'owner'], me.text);
  }
  assert.deepEqual(await pageAt(standing), await pageAt(leading));
});

test('when the controller that leads is killed, another one leads, and nothing is lost or doubled', async (t) => {
  const several = await startSeveral(t);
  if (several === undefined) return t.skip('PostgreSQL is not installed');
  const [leading, standing] = several.controllers;
  const clients = [leading.client, standing.client];

  const ids = await submitAll(40, 'ask', clients, (nth) => {
    if (nth === 10) leading.child.kill('SIGKILL');
  });

  assert.equal(await roleOf(standing), 'leader');
  await allCompleted(standing.client, ids);
  assertOnce(several.started(), 40);

  const again = await several.restart(0);
  assert.equal(await roleOf(again), 'standby');
  assert.equal((await again.client.list(InvocationView, { path: '/invocations' })).length, 40);
});

test('a controller that froze while it led stands by when it wakes, and nothing is lost or doubled', async (t) => {
  const several = await startSeveral(t);
  if (several === undefined) return t.skip('PostgreSQL is not installed');
  const [frozen, other] = several.controllers;

  const before = await submitAll(5, 'before', [frozen.client]);
  frozen.child.kill('SIGSTOP');
  await until(async () => (await roleOf(other)) === 'leader', { what: 'the other one leads', deadlineMs: 20_000 });
  const during = await submitAll(5, 'during', [other.client]);
  frozen.child.kill('SIGCONT');

  await until(async () => (await roleOf(frozen)) === 'standby', { what: 'it stands by' });
  const after = await submitAll(5, 'after', [frozen.client, other.client]);
  await allCompleted(frozen.client, [...before, ...during, ...after]);
  assertOnce(several.started(), 15);
  assert.equal(await roleOf(other), 'leader');
});

test('when the database is killed, callers get 503 until it is back, and nothing is lost or doubled', async (t) => {
  const several = await startSeveral(t);
  if (several === undefined) return t.skip('PostgreSQL is not installed');
  const clients = several.controllers.map(({ client }) => client);

  const before = await submitAll(5, 'before', clients);
  await several.postgres.kill();
  for (const { url } of several.controllers) {
    const answer = await fetch(`${url}/api/v1/me`, {
      headers: { authorization: 'Bearer mst_abcdefgh_0123456789abcdef' },
    });
    assert.equal(answer.status, 503);
    assert.equal(Problem.parse(await answer.json()).status, 503);
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
  }
  const meanwhile = submitAll(10, 'meanwhile', clients);
  await several.postgres.start();

  await allCompleted(several.controllers[0].client, [...before, ...(await meanwhile)]);
  assertOnce(several.started(), 15);
  const roles = await Promise.all(several.controllers.map(roleOf));
  assert.deepEqual(roles.sort(), ['leader', 'standby']);
});

/** Submits one after the other; `before` is called with the number of each. */
async function submitAll(
  ...[count, key, clients, before]: [number, string, readonly Client[], ((nth: number) => void)?]
): Promise<string[]> {
  const ids: string[] = [];
  for (let nth = 0; nth < count; nth += 1) {
    before?.(nth);
    ids.push((await submit(clients, `${key}-${nth}`)).id);
  }
  assert.equal(new Set(ids).size, count);
  return ids;
}

async function allCompleted(client: Client, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    await until(
      async () =>
        (await client.call(InvocationAnswer, { path: `/invocations/${id}` })).invocation.status === 'completed',
      {
        ...{ what: `${id} is completed`, deadlineMs: 60_000 },
      },
    );
  }
}

function assertOnce(started: readonly string[], count: number): void {
  assert.equal(new Set(started).size, count);
  assert.equal(started.length, count);
}
