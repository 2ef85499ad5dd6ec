import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { PolicyDocument } from '../../../controller/policy/document.js';
import type { Result } from '../../../protocol/messages/result.js';
import { OWNER } from '../../support/core.js';
import { Answered, DB, startDocker, WEB } from '../../support/docker-node.js';
import { setPolicy } from '../../support/policies.js';
import { type PollingInstallation, startPollingInstallation } from '../../support/polling.js';
import type { ScriptedAgent } from '../../support/scripted-agent.js';
import { until } from '../../support/until.js';

/** Asks as the admin, and has the node answer. */
async function actOn(
  { call, people }: PollingInstallation,
  agent: ScriptedAgent,
  { container, action, result }: { container: string; action: string; result: Partial<Result> },
) {
  const asking = call('POST', `/api/containers/${container}/actions`, { token: people.admin, body: { action } });
  const offered = await agent.nextOffer();
  await agent.ack(offered);
  await agent.result(offered, result);
  const answer = await asking;
  return { request: offered.request, status: answer.status, body: Answered.parse(answer.body) };
}

test('D-2, D-3, D-5, D-6, D-7, D-8, D-9, D-10, D-12, D-14, D-17, D-26, S-D-4: each verb goes to the node of the container, and its answer to the caller', async (t) => {
  const installation = await startPollingInstallation(t);
  const { call, people, muster } = installation;
  await startDocker(t, installation, {
    node: 'docker-2',
    containers: [{ ...DB, id: `77${'0'.repeat(62)}` }],
    runs: true,
  });
  const agent = await startDocker(t, installation, { containers: [WEB], runs: true });

  for (const [action, name] of [
    ['START', 'container_start'],
    ['STOP', 'container_stop'],
    ['RESTART', 'container_restart'],
  ] as const) {
    const body = { action, reason: `because of ${action}` };
    const answer = await call('POST', `/api/containers/${WEB.id}/actions`, { token: people.admin, body });

    const { action_id, ...rest } = Answered.parse(answer.body);
    assert.deepEqual([answer.status, rest], [200, { type: 'action_result', status: 'SUCCESS', error: '' }]);
    const { request } = await agent.nextOffer();
    assert.deepEqual([request.action, request.parameters], [name, { container: WEB.id }]);
    assert.deepEqual([request.triggered_by?.reason, request.triggered_by?.invocation_id], [body.reason, action_id]);
    const rows = await muster.store.read
      .selectFrom('audit')
      .select(['actor', 'subject', 'details'])
      .where('event', '=', 'container_action')
      .execute();
    const { details = '', ...row } = rows.at(-1) ?? {};
    assert.deepEqual(row, { actor: 'the-admin', subject: `container:${WEB.id}` });
    assert.deepEqual(JSON.parse(details), { action, node: 'docker-1', reason: body.reason, invocation: action_id });
  }
});

test('D-16, D-21, D-24, S-D-6: a failure reaches the caller with the words of the node', async (t) => {
  const installation = await startPollingInstallation(t);
  const agent = await startDocker(t, installation);
  const failed = { status: 'failed', exit_code: 1, stdout: '', stderr: 'No such container: web\n' } as const;
  const timeout = { status: 'timeout', exit_code: -1, stdout: '', stderr: '' } as const;
  const error = {
    status: 'error',
    exit_code: -1,
    error_code: 'not_supported_on_node',
    error: 'Docker is not running',
  } as const;

  const answers = [
    await actOn(installation, agent, { container: 'web', action: 'STOP', result: failed }),
    await actOn(installation, agent, { container: 'web', action: 'STOP', result: error }),
    await actOn(installation, agent, { container: 'web', action: 'STOP', result: timeout }),
  ];

  assert.deepEqual(
    answers.map(({ status, body }) => [status, body.status, body.error, body.error_code]),
    [
      [200, 'FAILURE', 'No such container: web', 'failed'],
      [200, 'FAILURE', 'Docker is not running', 'not_supported_on_node'],
      [200, 'FAILURE', 'of 1: 1 timeout', 'timeout'],
    ],
  );
});

test('a container is found by its name and by the beginning of its id, and by nothing that several have', async (t) => {
  const installation = await startPollingInstallation(t);
  const { call, people } = installation;
  const agent = await startDocker(t, installation, { containers: [WEB, { ...DB, name: 'db' }], runs: true });
  await startDocker(t, installation, {
    node: 'docker-2',
    containers: [{ ...DB, id: `9a2b${'2'.repeat(60)}` }],
    runs: true,
  });
  const ask = (container: string) =>
    call('POST', `/api/containers/${container}/actions`, { token: people.admin, body: { action: 'RESTART' } });

  for (const container of ['web', WEB.id.slice(0, 12), WEB.id])
    assert.equal((await ask(container)).status, 200, container);
  for (const container of ['nope', WEB.id.slice(0, 11), 'WEB', '..%2Fweb', 'a%00b', "w'", 'x'.repeat(129)]) {
    assert.equal((await ask(container)).status, 404, container);
  }
  assert.equal((await ask('db')).status, 409);
  assert.equal((await ask(DB.id)).status, 200);
  await until(() => agent.offers.length === 4, { what: 'the offers' });
});

test('S-D-1: an action other than the three is answered 400, and nothing is sent', async (t) => {
  const installation = await startPollingInstallation(t);
  const { call, people, muster } = installation;
  await startDocker(t, installation);
  const bodies = ['start', '', 'KILL', undefined, null, 7, ['START']].map((action) => ({ action, reason: 'x' }));

  for (const body of [...bodies, [], { action: 'START', force: true }, { action: 'START', reason: 'x'.repeat(1025) }]) {
    const { status } = await call('POST', '/api/containers/web/actions', { token: people.admin, body });
    assert.equal(status, 400, JSON.stringify(body).slice(0, 60));
  }
  const { items } = await muster.core.services.invocations.list('default', { limit: 10 });
  assert.deepEqual(items, []);
});

test('D-22, S-D-2: no token is 401, a viewer 403, and what is another org’s looks as if it were not there', async (t) => {
  const installation = await startPollingInstallation(t);
  const { call, people, muster } = installation;
  await startDocker(t, installation);
  const path = '/api/containers/web/actions';
  const body = { action: 'START' };

  assert.equal((await call('POST', path, { body })).status, 401);
  assert.equal((await call('POST', path, { body, token: people.viewer })).status, 403);
  const stranger = { id: 'owner', org: 'another', role: 'owner' } as const;
  await assert.rejects(
    muster.core.services.containers.ask(stranger, { container: 'web', verb: 'START' }, { bodySha256: '' }),
    { code: 'not_found' },
  );
});

test('S-D-3, S-D-15: when the node is not connected the caller is told at once, and the attempt is audited', async (t) => {
  const installation = await startPollingInstallation(t);
  const { call, people, muster } = installation;
  const agent = await startDocker(t, installation);
  await agent.goOffline();
  await until(() => !muster.core.presence.isConnected('docker-1'), { what: 'the node to be away' });

  const { status, body, headers } = await call('POST', '/api/containers/web/actions', {
    token: people.admin,
    body: { action: 'STOP' },
  });

  assert.deepEqual([status, z.object({ code: z.string() }).parse(body).code], [503, 'node_offline']);
  assert.ok(headers.get('retry-after'));
  const row = await muster.store.read
    .selectFrom('audit')
    .selectAll()
    .where('event', '=', 'container_action')
    .executeTakeFirst();
  const details = { action: 'STOP', node: 'docker-1', reason: 'no reason given', code: 'node_offline' };
  assert.deepEqual([row?.actor, JSON.parse(row?.details ?? '{}')], ['the-admin', details]);
});

test('S-D-15: an attempt at a container that no node announces, or that is not one alone, is audited as it was named', async (t) => {
  const installation = await startPollingInstallation(t);
  const { call, people, muster } = installation;
  const first = await startDocker(t, installation);
  const other = { ...WEB, id: `77${'0'.repeat(62)}` };
  const second = await startDocker(t, installation, { node: 'docker-2', containers: [other] });
  const ask = async (container: string) => {
    const body = { action: 'STOP', reason: `ticket for ${container}` };
    const answer = await call('POST', `/api/containers/${container}/actions`, { token: people.operator, body });
    return [answer.status, z.object({ code: z.string() }).parse(answer.body).code];
  };

  assert.deepEqual(await ask('absent'), [404, 'not_found']);
  assert.deepEqual(await ask('web'), [409, 'conflict']);

  const rows = await muster.store.read
    .selectFrom('audit')
    .selectAll()
    .where('event', '=', 'container_action')
    .orderBy('seq')
    .execute();
  assert.deepEqual(
    rows.map(({ actor, subject, details }) => [actor, subject, JSON.parse(details)]),
    [
      ['absent', 'not_found'],
      ['web', 'conflict'],
    ].map(([name, code]) => [
      'the-operator',
      `container:${name}`,
      { action: 'STOP', reason: `ticket for ${name}`, code },
    ]),
  );
  assert.deepEqual([first.offers, second.offers], [[], []]);
});

test('an Idempotency-Key is of one container: the same ask of another one is refused, and of the same one is answered as before', async (t) => {
  const installation = await startPollingInstallation(t);
  const { call, people, muster } = installation;
  const agent = await startDocker(t, installation, { runs: true });
  const stop = (container: string) =>
    call('POST', `/api/containers/${container}/actions`, {
      ...{ token: people.admin, body: { action: 'STOP' }, headers: { 'idempotency-key': 'k' } },
    });

  const first = await stop(WEB.id);
  const other = await stop(DB.id);
  await agent.goOffline();
  await until(() => !muster.core.presence.isConnected('docker-1'), { what: 'the node to be away' });
  const again = await stop(WEB.id);

  assert.deepEqual([first.status, other.status], [200, 409]);
  assert.equal(z.object({ code: z.string() }).parse(other.body).code, 'idempotency_conflict');
  assert.deepEqual([again.status, again.body], [200, first.body]);
  assert.deepEqual(
    agent.offers.map(({ request }) => request.parameters),
    [{ container: WEB.id }],
  );
});

test('S-D-15: an attempt that the policy refuses is audited with its code, and one past a limit is not', async (t) => {
  const installation = await startPollingInstallation(t);
  const { call, people, muster } = installation;
  await startDocker(t, installation);
  const { policy } = muster.core.services;
  const { policy: shipped } = await policy.read('default');
  const rule = { actions: ['container_*'], risks: ['write' as const], ask: { users: ['nobody'] } };
  const start = () =>
    call('POST', '/api/containers/web/actions', { token: people.operator, body: { action: 'START' } });
  const codes = async (): Promise<unknown[]> => {
    const rows = await muster.store.read
      .selectFrom('audit')
      .select('details')
      .where('event', '=', 'container_action')
      .execute();
    return rows.map(({ details }) => JSON.parse(details).code);
  };

  await policy.replace(OWNER, PolicyDocument.parse({ ...shipped, access: [rule] }), () => true);
  const refused = await start();
  await policy.replace(OWNER, PolicyDocument.parse({ ...shipped, limits: { pending_per_principal: 1 } }), () => true);
  const statuses = [(await start()).status, (await start()).status];

  assert.equal(refused.status, 403);
  assert.deepEqual(statuses, [202, 429]);
  assert.deepEqual(await codes(), ['forbidden', undefined]);
});

test('D-11, S-D-5, S-D-11: what takes longer than the caller waits is 202, and its end is not lost', async (t) => {
  const installation = await startPollingInstallation(t);
  const { call, people, muster } = installation;
  const agent = await startDocker(t, installation);

  const { status, body, headers } = await call('POST', '/api/containers/web/actions', {
    ...{ token: people.admin, body: { action: 'RESTART' }, headers: { prefer: 'wait=0' } },
  });
  const { action_id, status: state } = Answered.parse(body);
  await agent.result(await agent.nextOffer());
  const ended = await muster.core.services.invocations.whenDone('default', action_id, { ms: 10_000 });

  assert.deepEqual([status, state, ended?.status], [202, 'PENDING', 'completed']);
  assert.equal(headers.get('location'), `/api/v1/invocations/${action_id}`);
});

test('what an operator asks of a container waits for a person', async (t) => {
  const installation = await startPollingInstallation(t);
  await startDocker(t, installation);
  const ask = { token: installation.people.operator, body: { action: 'STOP' } };

  const { status, body } = await installation.call('POST', '/api/containers/web/actions', ask);

  assert.deepEqual([status, Answered.parse(body).status], [202, 'PENDING']);
});

test('S-D-8: when the connection of the node drops the waiting call fails at once, and what it begins is told all the same', async (t) => {
  const installation = await startPollingInstallation(t);
  const { call, people, muster } = installation;
  const agent = await startDocker(t, installation);
  const headers = { prefer: 'wait=60' };
  const asking = call('POST', '/api/containers/web/actions', {
    token: people.admin,
    body: { action: 'STOP' },
    headers,
  });
  const offered = await agent.nextOffer();

  await agent.goOffline();
  const { status, body, headers: answered } = await asking;

  assert.deepEqual([status, z.object({ code: z.string() }).parse(body).code], [503, 'node_offline']);
  const id = answered.get('location')?.split('/').at(-1) ?? '';
  await agent.hello();
  await agent.result(offered);
  const ended = await muster.core.services.invocations.whenDone('default', id, { ms: 10_000 });
  assert.equal(ended?.status, 'completed');
});

test('S-D-10: the end of an earlier connection is not the end of the one that waits', async (t) => {
  const installation = await startPollingInstallation(t);
  const { call, people, muster } = installation;
  const agent = await startDocker(t, installation);
  const asking = call('POST', '/api/containers/web/actions', { token: people.admin, body: { action: 'STOP' } });
  const offered = await agent.nextOffer();

  const end = {
    v: 1,
    state: 'offline',
    reason: 'connection_lost',
    since: new Date().toISOString(),
    agent_version: '0',
  };
  const earlier = { ...end, boot_id: agent.bootId, process_id: agent.processId, connection: 0 };
  await agent.session.publish('status', { node: agent.node }, JSON.stringify(earlier));
  await agent.result(offered);

  assert.equal((await asking).status, 200);
  assert.ok(muster.core.presence.isConnected(agent.node));
});

test('S-D-16: STOP and RESTART on a protected node need a reason, and STOP an admin: the server holds it, whoever calls', async (t) => {
  const installation = await startPollingInstallation(t);
  const { call, people, muster } = installation;
  const agent = await startDocker(t, installation, { runs: true });
  await muster.core.services.nodes.change(OWNER, agent.node, { labels: { protected: 'true' } });
  const labels = { protected: 'true' };
  await setPolicy(muster, {
    protected: [
      { labels, actions: ['container_stop'], role: 'admin' },
      { labels, actions: ['container_restart'], role: 'operator' },
    ],
  });
  const ask = async (token: string, action: string, reason?: string) => {
    const { status, body } = await call('POST', '/api/containers/web/actions', { token, body: { action, reason } });
    return [status, z.object({ code: z.string().optional() }).parse(body).code];
  };

  assert.deepEqual(await ask(people.operator, 'STOP', 'ticket 4711'), [403, 'forbidden']);
  assert.deepEqual(await ask(people.admin, 'STOP'), [403, 'reason_required']);
  assert.deepEqual(await ask(people.admin, 'STOP', ' '), [403, 'reason_required']);
  assert.deepEqual(await ask(people.operator, 'RESTART'), [403, 'reason_required']);
  assert.equal(agent.offers.length, 0);
  assert.deepEqual(await ask(people.operator, 'RESTART', 'ticket 4711'), [202, undefined]);
  assert.deepEqual(await ask(people.admin, 'STOP', 'ticket 4711'), [200, undefined]);
  assert.deepEqual(await ask(people.admin, 'START'), [200, undefined]);
});
