import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { z } from 'zod';
import { SYSTEM_CLOCK, toTime } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { OWNER } from '../../support/core.js';
import { type PollingInstallation, startPollingInstallation } from '../../support/polling.js';
import { startScriptedAgent } from '../../support/scripted-agent.js';
import { createTestClock } from '../../support/test-clock.js';

const Queued = z.strictObject({ ok: z.literal(true), action_id: z.string() });
const Fetched = z.strictObject({
  actions: z.array(z.strictObject({ action_id: z.string(), type: z.string(), data: z.unknown() })),
});

const HELLO = {
  machine_id: 'test-pc',
  action_type: 'message',
  data: { message: 'Hello from DashFleet!', title: 'Test' },
};

/** Queues as the owner; gives the action's name. */
async function queue({ call, people }: PollingInstallation, body: unknown = HELLO): Promise<string> {
  const answer = await call('POST', '/api/actions/queue', { token: people.owner, body });
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
  return Queued.parse(answer.body).action_id;
}

async function fetchNames({ call }: PollingInstallation, token: string, machine = 'test-pc'): Promise<string[]> {
  const answer = await call('GET', `/api/actions/pending?machine_id=${machine}`, { token });
  return Fetched.parse(answer.body).actions.map(({ action_id }) => action_id);
}

function report({ call }: PollingInstallation, token: string, body: unknown) {
  return call('POST', '/api/actions/report', { token, body });
}

/** The invocation behind the newest ask, and its execution on the node. */
async function newest({ muster }: PollingInstallation, node = 'test-pc') {
  const { invocations } = muster.core.services;
  const [invocation] = (await invocations.list('default', { limit: 1 })).items;
  assert.ok(invocation);
  return { invocation, execution: await invocations.execution('default', invocation.id, node) };
}

test('F-1, F-2, F-19, F-22, F-28, F-31, F-38, F-41, F-44, F-48, F-49, S-F-1, S-F-2, S-F-3: an action is queued, fetched and reported', async (t) => {
  const installation = await startPollingInstallation(t);
  const token = await installation.addNode('test-pc');
  const data = { message: 'Grüße 👋 "$(id)"\n', title: 'Tést' };

  const name = await queue(installation, { ...HELLO, data });
  const fetched = await installation.call('GET', '/api/actions/pending?machine_id=test-pc', { token });
  const before = await newest(installation);
  const reported = await report(installation, token, {
    action_id: name,
    status: 'done',
    result: 'Notification sent (notify-send)',
  });

  assert.match(name, /^default:test-pc:\d{13}$/);
  assert.deepEqual([fetched.status, fetched.body], [200, { actions: [{ action_id: name, type: 'message', data }] }]);
  assert.deepEqual([before.invocation.status, before.execution?.status], ['executing', 'accepted']);
  assert.deepEqual([reported.status, reported.body], [200, { ok: true }]);
  const after = await newest(installation);
  assert.equal(after.invocation.status, 'completed');
  assert.equal(after.execution?.status, 'success');
  assert.equal(after.execution?.stdout, 'Notification sent (notify-send)');
  assert.equal(after.execution?.evidence, 'token');
  assert.ok(after.execution?.finished_at);
  assert.deepEqual(await fetchNames(installation, token), []);
});

test('S-F-29, F-27: what is queued is by whoever asked, and the audit log says so', async (t) => {
  const installation = await startPollingInstallation(t);
  await installation.addNode('test-pc');

  await installation.call('POST', '/api/actions/queue', { token: installation.people.admin, body: HELLO });

  const { invocation } = await newest(installation);
  assert.deepEqual([invocation.created_by, invocation.approved_by], ['the-admin', 'the-admin']);
  const rows = await installation.muster.store.read
    .selectFrom('audit')
    .select(['actor', 'event'])
    .where('subject', '=', `invocation:${invocation.id}`)
    .execute();
  assert.deepEqual(rows, [{ actor: 'the-admin', event: 'invocation_created' }]);
});

test('F-27: what an operator queues waits for a person before a node can fetch it', async (t) => {
  const installation = await startPollingInstallation(t);
  const { call, people } = installation;
  const token = await installation.addNode('test-pc');

  const { status } = await call('POST', '/api/actions/queue', { token: people.operator, body: HELLO });
  const { invocation } = await newest(installation);
  const early = await fetchNames(installation, token);
  const digest = { digest: invocation.digest };
  const approval = { token: people.admin, body: digest, headers: { prefer: 'wait=0' } };
  await call('POST', `/api/v1/invocations/${invocation.id}/approve`, approval);

  assert.deepEqual([status, invocation.status, early], [201, 'pending', []]);
  assert.equal((await fetchNames(installation, token)).length, 1);
});

test('F-35, F-36, F-37, S-F-6: of twelve the first fetch gives the ten oldest in order, the next one two', async (t) => {
  const installation = await startPollingInstallation(t);
  const token = await installation.addNode('test-pc');
  await installation.addNode('other-pc');
  const names: string[] = [];
  for (let at = 0; at < 12; at += 1) {
    names.push(await queue(installation));
    await queue(installation, { ...HELLO, machine_id: 'other-pc' });
  }

  const first = await fetchNames(installation, token);
  const second = await fetchNames(installation, token);

  assert.deepEqual(first, names.slice(0, 10));
  assert.deepEqual(second, names.slice(10));
});

test('F-6, F-26: two actions in one millisecond have two names', async (t) => {
  const ms = SYSTEM_CLOCK.nowMs();
  const installation = await startPollingInstallation(t, { clock: { ...SYSTEM_CLOCK, nowMs: () => ms } });
  const token = await installation.addNode('test-pc');

  const names = [await queue(installation), await queue(installation), await queue(installation)];

  assert.deepEqual(names, [`default:test-pc:${ms}`, `default:test-pc:${ms + 1}`, `default:test-pc:${ms + 2}`]);
  assert.deepEqual(await fetchNames(installation, token), names);
});

test('the same Idempotency-Key queues once', async (t) => {
  const installation = await startPollingInstallation(t);
  const token = await installation.addNode('test-pc');
  const headers = { 'idempotency-key': 'once' };
  const ask = { token: installation.people.owner, body: HELLO, headers };

  const answers = await Promise.all([1, 2, 3].map(() => installation.call('POST', '/api/actions/queue', ask)));

  const names = answers.map(({ body }) => Queued.parse(body).action_id);
  assert.equal(new Set(names).size, 1);
  assert.deepEqual(await fetchNames(installation, token), names.slice(0, 1));
});

test('S-F-14, F-11: what was fetched is executing, and no second fetch or process gets it', async (t) => {
  const installation = await startPollingInstallation(t);
  const token = await installation.addNode('test-pc');
  await queue(installation);

  const given = (await Promise.all([1, 2, 3, 4].map(() => fetchNames(installation, token)))).flat();

  assert.equal(given.length, 1);
  assert.equal((await newest(installation)).invocation.status, 'executing');
});

test('F-44, F-46, S-F-10: an error is told with its text, and a report has one of two states', async (t) => {
  const installation = await startPollingInstallation(t);
  const token = await installation.addNode('test-pc');
  const name = await queue(installation, { machine_id: 'test-pc', action_type: 'reboot' });
  await fetchNames(installation, token);

  for (const status of ['executing', 'success', 'DONE', 1]) {
    const { status: code, body } = await report(installation, token, { action_id: name, status });
    assert.deepEqual([code, body], [400, { error: "Invalid status. Must be 'done' or 'error'" }]);
  }
  const text = 'Reboot command failed: not permitted';
  await report(installation, token, { action_id: name, status: 'error', result: text });

  const { execution, invocation } = await newest(installation);
  assert.deepEqual([execution?.status, execution?.stderr, invocation.status], ['failed', text, 'failed']);
});

test('S-F-22, F-67: a report that comes again is answered the same, another one is refused, the first stays', async (t) => {
  const installation = await startPollingInstallation(t);
  const token = await installation.addNode('test-pc');
  const name = await queue(installation);
  await fetchNames(installation, token);
  const done = { action_id: name, status: 'done', result: 'shown' };

  const answers = [await report(installation, token, done), await report(installation, token, done)];
  const other = await report(installation, token, { ...done, result: 'not shown' });

  assert.deepEqual(
    answers.map(({ status, body }) => [status, body]),
    [
      [200, { ok: true }],
      [200, { ok: true }],
    ],
  );
  assert.equal(other.status, 409);
  assert.equal((await newest(installation)).execution?.stdout, 'shown');
});

test('S-F-8: a report for an unknown action, another node’s or one that was not fetched is not ok', async (t) => {
  const installation = await startPollingInstallation(t);
  const token = await installation.addNode('test-pc');
  const other = await installation.addNode('other-pc');
  const name = await queue(installation);
  const of = (action_id: string) => ({ action_id, status: 'done', result: '' });
  const statuses = async (token: string, id: string): Promise<number> =>
    (await report(installation, token, of(id))).status;

  assert.equal(await statuses(token, 'default:test-pc:1'), 404);
  assert.equal(await statuses(token, "'; drop table actions; --"), 404);
  assert.equal(await statuses(token, '018f2a10-0000-7000-8000-000000000000'), 404);
  assert.equal(await statuses(token, name), 409);
  await fetchNames(installation, token);
  assert.equal(await statuses(other, name), 404);
  assert.equal(await statuses(token, name), 200);
});

test('S-F-12, S-F-13: an unknown machine, or one whose name no node can have, is refused', async (t) => {
  const installation = await startPollingInstallation(t);
  for (const machine_id of ['nobody', 'a:b', 'a b', '../a', 'a/+', '#', '%00', "x'", 'x'.repeat(256)]) {
    const ask = { token: installation.people.owner, body: { ...HELLO, machine_id } };
    const { status, body } = await installation.call('POST', '/api/actions/queue', ask);
    assert.equal(status, 422, machine_id);
    assert.equal(z.object({ code: z.string() }).parse(body).code, 'unknown_node');
  }
});

test('F-54, S-F-27: a node on the broker that does not offer the type is told as unknown; one that does gets it signed', async (t) => {
  const installation = await startPollingInstallation(t);
  const { muster, call, people } = installation;
  const { services } = muster.core;
  await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'plain' });
  const parameters = ['message', 'title'].map((name) => ({
    ...{ name, type: 'string' as const, required: false, description: '' },
  }));
  const script = { actions: [{ name: 'message', description: 'shows', parameters }], runs: true };
  await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'screen', script });

  const plain = await call('POST', '/api/actions/queue', {
    token: people.owner,
    body: { ...HELLO, machine_id: 'plain' },
  });
  await queue(installation, { ...HELLO, machine_id: 'screen' });

  assert.equal(plain.status, 422);
  assert.deepEqual(z.object({ error: z.string(), code: z.string() }).parse(plain.body), {
    error: 'Unknown action type: message',
    code: 'unknown_action',
  });
  const { invocation } = await newest(installation, 'screen');
  await services.invocations.whenDone('default', invocation.id, { ms: 10_000 });
  const { execution } = await newest(installation, 'screen');
  assert.deepEqual([execution?.status, execution?.evidence], ['success', 'signature']);
});

test('S-F-27: what no node fetches in time expires, and a fetch after that does not give it', async (t) => {
  const clock = createTestClock();
  const installation = await startPollingInstallation(t, { clock });
  const token = await installation.addNode('test-pc');
  await queue(installation);

  clock.advance(24 * 3_600_000 + 2_000);
  const late = await fetchNames(installation, token);
  await installation.muster.core.sweep();

  assert.deepEqual(late, []);
  assert.equal((await newest(installation)).invocation.status, 'expired');
});

test('S-F-25, F-20, F-32, F-42: each caller has its own limit, and is told when it is over it', async (t) => {
  const installation = await startPollingInstallation(t);
  const token = await installation.addNode('test-pc');
  const other = await installation.addNode('other-pc');
  const pending = (machine: string, of: string) =>
    installation.call('GET', `/api/actions/pending?machine_id=${machine}`, { token: of });

  for (let at = 0; at < 60; at += 1) assert.equal((await pending('test-pc', token)).status, 200);
  const over = await pending('test-pc', token);
  const neighbour = await pending('other-pc', other);

  assert.deepEqual([over.status, neighbour.status], [429, 200]);
  assert.ok(Number(over.headers.get('retry-after')) > 0);
  for (let at = 0; at < 100; at += 1) await queue(installation);
  const ask = { token: installation.people.owner, body: HELLO };
  assert.equal((await installation.call('POST', '/api/actions/queue', ask)).status, 429);
  assert.equal(
    (await installation.call('POST', '/api/actions/queue', { ...ask, token: installation.people.admin })).status,
    201,
  );
});

test('F-21, F-33, F-43, S-F-4: no token, a wrong one, a lesser role or another’s token is answered 403 on all three', async (t) => {
  const installation = await startPollingInstallation(t);
  const { call, people } = installation;
  const token = await installation.addNode('test-pc');
  const other = await installation.addNode('other-pc');
  await queue(installation);
  const unauthorized = { status: 403, body: { error: 'Unauthorized' } };
  const refused = async (method: string, path: string, of: { token?: string | undefined; body?: unknown }) => {
    const { status, body } = await call(method, path, of);
    assert.deepEqual({ status, body }, unauthorized, `${method} ${path} ${of.token}`);
  };
  const name = { action_id: 'default:test-pc:1', status: 'done' };

  for (const wrong of [undefined, 'test_token', token.slice(0, -1), 'mnt_00000000_0000000000000000']) {
    await refused('POST', '/api/actions/queue', { token: wrong, body: HELLO });
    await refused('GET', '/api/actions/pending?machine_id=test-pc', { token: wrong });
    await refused('POST', '/api/actions/report', { token: wrong, body: name });
  }
  for (const person of [people.viewer, token])
    await refused('POST', '/api/actions/queue', { token: person, body: HELLO });
  for (const person of [people.owner, other]) {
    await refused('GET', '/api/actions/pending?machine_id=test-pc', { token: person });
  }
  await refused('POST', '/api/actions/report', { token: people.owner, body: name });
  assert.equal((await fetchNames(installation, token)).length, 1);
});

test('promise 20: a token that was deleted is out at once, and so are all of a node that was revoked', async (t) => {
  const installation = await startPollingInstallation(t);
  const { polling } = installation.muster.core.services;
  const first = await installation.addNode('test-pc');
  const second = await installation.addNode('test-pc');
  const status = async (token: string): Promise<number> =>
    (await installation.call('GET', '/api/actions/pending?machine_id=test-pc', { token })).status;

  const [, id = ''] = first.split('_');
  assert.deepEqual([await status(first), await status(second)], [200, 200]);
  assert.equal(await polling.deleteToken(OWNER, id), true);
  assert.deepEqual([await status(first), await status(second)], [403, 200]);
  const revoked = { revoked_at: Date.parse(toTime(Date.now())) };
  await installation.muster.store.write(async (tx) => {
    await tx.updateTable('nodes').set(revoked).where('node', '=', 'test-pc').execute();
  });
  assert.equal(await status(second), 403);
});

test('F-30, F-40, F-50: what is queued and reported is logged, without what it says; a fetch at debug with its count', async (t) => {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  const installation = await startPollingInstallation(t, {
    log: createLogger('controller', { level: 'debug', destination }),
  });
  const token = await installation.addNode('test-pc');

  const name = await queue(installation);
  await fetchNames(installation, token);
  await report(installation, token, { action_id: name, status: 'done', result: 'a secret' });

  const Line = z.looseObject({ msg: z.string() });
  const said = lines.map((line) => Line.parse(JSON.parse(line))).filter(({ msg }) => msg.startsWith('action'));
  assert.deepEqual(
    said.map(({ level, msg, actionId, action, node, count, status }) => [
      level,
      msg,
      ...[actionId, action, node, count, status].filter((each) => each !== undefined),
    ]),
    [
      ['info', 'action queued', name, 'message', 'test-pc'],
      ['debug', 'actions fetched', 'test-pc', 1],
      ['info', 'action reported', 'test-pc', 'success'],
    ],
  );
  assert.doesNotMatch(lines.join(''), /a secret|Hello from/);
});

test('F-39: what is stored and cannot be read is fetched as nothing, and fails nothing', async (t) => {
  const installation = await startPollingInstallation(t);
  const token = await installation.addNode('test-pc');
  await queue(installation);
  await installation.muster.store.write(async (tx) => {
    await tx.updateTable('invocations').set({ parameters: '{"message":' }).execute();
  });

  const { status, body } = await installation.call('GET', '/api/actions/pending?machine_id=test-pc', { token });

  assert.deepEqual([status, Fetched.parse(body).actions.map(({ data }) => data)], [200, [{}]]);
});
