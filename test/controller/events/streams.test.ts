import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GrantView } from '../../../controller/http/grant-schemas.js';
import { ParameterSpec } from '../../../protocol/messages/parameters.js';
import { OWNER } from '../../support/core.js';
import { openEvents, openWebSocket } from '../../support/events.js';
import { startTestController, type TestController } from '../../support/muster.js';

const PARAMETERS = [ParameterSpec.parse({ name: 'api_key' }), ParameterSpec.parse({ name: 'level', type: 'number' })];
const PRIME = { name: 'prime', description: 'changes something', parameters: PARAMETERS };
const READ = { name: 'ping', description: 'reads', parameters: [] };

test('A-87, A-88, A-89, S-A-8: an ask that waits is told of once, then what was said, then how it ended', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('pump-1', { runs: true, actions: [PRIME] });
  const ann = await makeToken(controller, 'ann', 'operator');
  const { url, token } = controller;
  const stream = await openEvents(t, { url, token });
  const overWebSocket = await openWebSocket(t, { url, token });

  const ask = { action: 'prime', target: { nodes: ['pump-1'] }, parameters: { api_key: 'hush', level: 3 } };
  const { invocation } = await post(controller, { token: ann, path: '/invocations', body: ask });
  const { id: _id, at: _at, ...request } = await stream.next('action_approval_request');
  await post(controller, { token, path: `/invocations/${invocation.id}/approve`, body: { digest: invocation.digest } });
  const { id: _, at: __, ...result } = await stream.next('action_approval_result');
  const { id: last, at: ___, ...completed } = await stream.next('action_completed');

  assert.deepEqual(request, {
    type: 'action_approval_request',
    invocationId: invocation.id,
    integration: 'muster',
    action: 'prime',
    riskLevel: 'write',
    params: { api_key: '[redacted]', level: 3 },
    expiresAt: invocation.expires_at,
  });
  assert.deepEqual(result, {
    type: 'action_approval_result',
    invocationId: invocation.id,
    status: 'approved',
    approvedBy: 'owner',
  });
  assert.deepEqual(completed, {
    type: 'action_completed',
    invocationId: invocation.id,
    status: 'completed',
    result: { success: 1, total: 1 },
  });
  await overWebSocket.next('action_completed');
  const from = overWebSocket.messages[0]?.id ?? last; // what was told before it was ready, the other may have alone
  const ofBoth = (messages: typeof stream.messages) => messages.filter(({ id }) => id > from && id <= last);
  assert.deepEqual(ofBoth(overWebSocket.messages), ofBoth(stream.messages));
  assert.equal(ofBoth(stream.messages).at(-1)?.type, 'action_completed');
  const statuses = stream.messages.flatMap((each) => (each.type === 'invocation' ? [each.status] : []));
  assert.deepEqual(
    statuses.filter((status) => status !== 'executing'), // stored only where the result comes a while after the ack
    ['pending', 'approved', 'completed'],
  );
  assert.doesNotMatch(JSON.stringify(stream.messages), /hush/);
});

test('S-A-8: what was denied, taken back or has run out of time leaves nothing that waits', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('pump-1', { actions: [PRIME] });
  const ann = await makeToken(controller, 'ann', 'operator');
  const stream = await openEvents(t, { url: controller.url, token: ann });
  const ask = { action: 'prime', target: { nodes: ['pump-1'] } };

  const denied = await post(controller, { token: ann, path: '/invocations', body: ask });
  const body = { reason: 'not on a Friday' };
  await post(controller, { token: controller.token, path: `/invocations/${denied.invocation.id}/deny`, body });
  const result = await stream.next('action_approval_result');
  const taken = await post(controller, { token: ann, path: '/invocations', body: ask });
  await post(controller, { token: ann, path: `/invocations/${taken.invocation.id}/cancel`, body: {} });
  const completed = await stream.next('action_completed');

  assert.deepEqual([result.invocationId, result.status, result.approvedBy], [denied.invocation.id, 'denied', 'owner']);
  assert.deepEqual(
    [completed.invocationId, completed.status, completed.error],
    [taken.invocation.id, 'failed', 'cancelled'],
  );
});

test('an execution is told of in each state, and a node when it is enrolled, comes and goes', async (t) => {
  const controller = await startTestController(t);
  const { url, token } = controller;
  const stream = await openEvents(t, { url, token });

  const agent = await controller.startAgent('pump-1', { runs: true, actions: [READ] });
  await stream.next('node', 'online');
  const body = { action: 'ping', target: { nodes: ['pump-1'] } };
  const { invocation } = await post(controller, { token, path: '/invocations', body });
  const ended = await stream.next('execution', 'success');
  await agent.goOffline();
  await stream.next('node', 'offline');

  assert.deepEqual(
    [ended.invocation_id, ended.node, ended.provisional, ended.error_code],
    [invocation.id, 'pump-1', false, null],
  );
  const changes = stream.messages.flatMap((each) => (each.type === 'node' ? [each.change] : []));
  assert.deepEqual([changes[0], changes.at(-1)], ['enrolled', 'offline']);
  assert.deepEqual(new Set(changes), new Set(['enrolled', 'changed', 'online', 'offline']));
});

test('a grant is told of once when it is made, and once when it is revoked', async (t) => {
  const controller = await startTestController(t);
  const { url } = controller;
  const made = await controller.muster('grant', 'create', '--org-wide', '--all', '--action', 'prime*', '--json');
  const { id } = GrantView.parse(JSON.parse(made.stdout));
  for (let n = 0; n < 2; n += 1) await controller.muster('grant', 'revoke', id);
  const ann = await makeToken(controller, 'ann', 'viewer');

  const stream = await openEvents(t, { url, token: ann, query: '?after=0&types=grant' });
  await stream.next('grant', 'revoked');

  assert.deepEqual(
    stream.messages.flatMap((each) => (each.type === 'grant' ? [[each.grant_id, each.change, each.by]] : [])),
    [
      [id, 'made', OWNER.id],
      [id, 'revoked', OWNER.id],
    ],
  );
});

test('a piece of output is told of once, without what was printed', async (t) => {
  const controller = await startTestController(t);
  const agent = await controller.startAgent('pump-1', { actions: [READ] });
  const { url, token } = controller;
  const stream = await openEvents(t, { url, token, query: '?types=output,action_completed' });
  const body = { action: 'ping', target: { nodes: ['pump-1'] } };
  const asking = post(controller, { token, path: '/invocations', body });
  const offered = await agent.nextOffer();
  const { execution_id } = offered.request;
  const key = { v: 1, execution_id, node: 'pump-1', org: 'default' };
  const piece = { seq: 0, stream: 'stdout', offset: 0, data: 'hush', encoding: 'utf-8', last: true };

  await agent.say('output', 'muster-output', { ...key, ...piece });
  await agent.say('output', 'muster-output', { ...key, ...piece });
  await agent.result(offered, { chunks: 1 });
  const { invocation } = await asking;
  await stream.next('action_completed');

  const told = stream.messages.flatMap((each) => (each.type === 'output' ? [each] : []));
  assert.deepEqual(
    told.map(({ id: _id, at: _at, ...each }) => each),
    [
      {
        ...{ type: 'output', invocation_id: invocation.id, execution_id, node: 'pump-1' },
        ...{ seq: 0, stream: 'stdout', offset: 0, last: true },
      },
    ],
  );
});

test('a stream passes on what its query asks for, and nothing that the role may not see', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('pump-1', { runs: true, actions: [READ] });
  await controller.startAgent('pump-2', { runs: true, actions: [READ] });
  const { url, token } = controller;
  const ann = await makeToken(controller, 'ann', 'viewer');
  await post(controller, { token, path: '/users', body: { id: 'bob', role: 'viewer', password: 'a long password' } });
  const ask = (node: string) =>
    post(controller, { token, path: '/invocations', body: { action: 'ping', target: { nodes: [node] } } });

  const first = await ask('pump-1');
  const byInvocation = await openEvents(t, { url, token: ann, query: `?after=0&invocation=${first.invocation.id}` });
  const byNode = await openEvents(t, { url, token: ann, query: '?after=0&node=pump-2&types=execution,node' });
  const ofViewer = await openEvents(t, { url, token: ann });
  const ofOwner = await openEvents(t, { url, token, query: '?types=login' });
  await ask('pump-2');
  await post(controller, { token: 'none', path: '/login', body: { user: 'bob', password: 'a long password' } });
  const login = await ofOwner.next('login');
  await ofViewer.next('action_completed');
  await ask('pump-1');
  await ofViewer.next('action_completed');
  await byNode.next('execution', 'success');
  await byInvocation.next('action_completed');

  assert.equal(login.user, 'bob');
  assert.ok(ofViewer.messages.every(({ type }) => type !== 'login'));
  assert.deepEqual(
    byInvocation.messages.filter((each) => !JSON.stringify(each).includes(first.invocation.id)).map(({ type }) => type),
    ['ready'],
  );
  assert.ok(byNode.messages.slice(1).every((each) => 'node' in each && each.node === 'pump-2'));
  assert.equal(ofOwner.messages.length, 2);
});

async function makeToken(controller: TestController, user: string, role: string): Promise<string> {
  const { token } = controller;
  await post(controller, { token, path: '/users', body: { id: user, role } });
  return (await post(controller, { token, path: '/tokens', body: { user, name: 'test' } })).token;
}

async function post(
  { url }: TestController,
  { token, path, body }: { token: string; path: string; body: unknown },
): Promise<{ token: string; invocation: { id: string; digest: string; expires_at: string } }> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const answer = await fetch(`${url}/api/v1${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  const text = await answer.text();
  assert.ok(answer.ok, `${path}: ${text}`);
  return JSON.parse(text);
}
