import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256Hex } from '../../../protocol/envelope.js';
import { invoke } from '../../support/asks.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { OWNER } from '../../support/core.js';
import { startPollingInstallation } from '../../support/polling.js';
import { enrollNode } from '../../support/scripted-agent.js';

const NODE = 'kiosk-1';
const PUMP = { name: 'pump_state', description: 'tells', parameters: [] };

async function start(t: Parameters<typeof startPollingInstallation>[0]) {
  const installation = await startPollingInstallation(t);
  const token = await installation.addNode(NODE);
  const { services } = installation.muster.core;
  const caller = { node: NODE, org: 'default' };
  return {
    ...installation,
    ...{ token, services },
    say: (method: string, path: string, body: unknown, as = token) =>
      installation.call(method, `/v1/nodes/${NODE}${path}`, { token: as, body }),
    /** Asks for a message and fetches it; gives the execution id and the invocation's. */
    async fetched(): Promise<{ id: string; executionId: string }> {
      const id = await invoke(services.invocations, { nodes: [NODE] }, { action: 'message' });
      const [action] = await services.polling.fetch(caller, undefined);
      return { id, executionId: action?.action_id ?? '' };
    },
  };
}

function resultOf(execution_id: string) {
  return {
    ...{ execution_id, status: 'failed', exit_code: 42, stdout: 'half\n', stderr: 'Grüße\n' },
    ...{ duration: '1.25s', finished_at: '2026-01-02T03:04:05.678901234+02:00' },
  };
}

test('P-7, P-92, P-36: a result over HTTP is stored with what it says', async (t) => {
  const { fetched, say, services } = await start(t);
  const { id, executionId } = await fetched();
  const triggered_by = { type: 'operator', id: 'owner' };
  const result = { ...resultOf(executionId), triggered_by };

  const answers = [
    await say('POST', `/executions/${executionId}/result`, result),
    await say('POST', `/executions/${executionId}/result`, result),
    await say('POST', `/executions/${executionId}/result`, { ...result, exit_code: 0, status: 'success' }),
  ];

  assert.deepEqual(
    answers.map(({ status }) => status),
    [204, 204, 409],
  );
  const view = await services.invocations.execution('default', id, NODE);
  assert.deepEqual([view?.status, view?.exit_code, view?.stdout, view?.stderr], ['failed', 42, 'half\n', 'Grüße\n']);
  assert.deepEqual([view?.duration, view?.duration_ms, view?.finished_at], ['1.25s', 1250, '2026-01-02T01:04:05.678Z']);
  assert.deepEqual([view?.stderr_bytes, view?.evidence], [8, 'token']);
  const output = await services.invocations.outputOf('default', id, { node: NODE, stream: 'stderr' });
  assert.deepEqual([output?.bytes.toString(), output?.complete], ['Grüße\n', true]);
});

test('P-92: output of 200 KiB is served whole, and shown cut', async (t) => {
  const { fetched, say, services } = await start(t);
  const { id, executionId } = await fetched();
  const stdout = 'é'.repeat(100 * 1024);

  const { status } = await say('POST', `/executions/${executionId}/result`, { ...resultOf(executionId), stdout });

  assert.equal(status, 204);
  const output = await services.invocations.outputOf('default', id, { node: NODE, stream: 'stdout' });
  assert.equal(sha256Hex(output?.bytes ?? Buffer.alloc(0)), sha256Hex(stdout));
  const view = await services.invocations.execution('default', id, NODE);
  assert.match(view?.stdout ?? '', /^é+\n\.\.\.\[truncated\]\né+$/);
  assert.ok(Buffer.byteLength(view?.stdout ?? '') <= 64 * 1024);
  assert.equal(view?.stdout_bytes, 200 * 1024);
});

test('P-35, P-91: each outcome and each reason is taken, any other is refused', async (t) => {
  const { fetched, say } = await start(t);
  for (const status of ['success', 'failed', 'timeout', 'cancelled', 'error']) {
    const { executionId } = await fetched();
    const answer = await say('POST', `/executions/${executionId}/result`, { ...resultOf(executionId), status });
    assert.equal(answer.status, 204, status);
  }
  const { executionId } = await fetched();
  const result = resultOf(executionId);
  for (const wrong of [
    { ...result, status: 'done' },
    { ...result, status: 'SUCCESS' },
    { ...result, exit_code: '42' },
    { ...result, exit_code: 256 },
    { ...result, duration: 'long' },
    { ...result, duration: '-1s' },
    { ...result, finished_at: 'yesterday' },
    { ...result, execution_id: '018f2a10-0000-7000-8000-000000000000' },
    { ...result, stdout: undefined },
    { ...result, node: 'kiosk-2' },
  ]) {
    const answer = await say('POST', `/executions/${executionId}/result`, wrong);
    assert.equal(answer.status, 400, JSON.stringify(wrong));
  }
  const ack = { execution_id: executionId, status: 'rejected', reason: 'unknown_action' };
  for (const wrong of [
    { ...ack, reason: '' },
    { ...ack, reason: 'no_reason' },
    { ...ack, status: 'accepted' },
    { ...ack, reason: undefined },
  ]) {
    assert.equal((await say('POST', `/executions/${executionId}/ack`, wrong)).status, 400, JSON.stringify(wrong));
  }
  assert.equal((await say('POST', `/executions/${executionId}/ack`, ack)).status, 204);
});

test('P-93, P-95: what a node announces is what may be asked of it, instead of what it offered before', async (t) => {
  const { say, services } = await start(t);
  const checksum = sha256Hex('#!/bin/sh\n');
  const hook = { name: 'deploy.sh', description: '', parameters: [], source: 'local', checksum, sandbox: 'none' };
  const before = await services.nodes.get('default', NODE);

  const { status } = await say('PUT', '/capabilities', {
    binary: { name: 'kiosk', version: '1.0.0', sha256: '' },
    builtin_actions: [PUMP],
    hooks: [hook],
  });

  assert.equal(status, 204);
  const after = await services.nodes.get('default', NODE);
  assert.deepEqual([before?.builtin_actions, before?.transport], [['message', 'reboot', 'restart'], 'http']);
  assert.deepEqual([after?.builtin_actions, after?.hooks], [['pump_state'], ['deploy.sh']]);
  await assertRejectsCode(invoke(services.invocations, { nodes: [NODE] }, { action: 'reboot' }), 'unknown_action');
  await invoke(services.invocations, { nodes: [NODE] }, { action: 'pump_state' });
  await invoke(services.invocations, { nodes: [NODE] }, { action: 'deploy.sh' });
  const fetched = await services.polling.fetch({ node: NODE, org: 'default' }, undefined);
  assert.deepEqual(
    fetched.map(({ type, data, checksum: sum }) => ({ type, data, sum })),
    [
      { type: 'pump_state', data: {}, sum: undefined },
      { type: 'deploy.sh', data: {}, sum: checksum },
    ],
  );
});

test('P-93: an announcement that does not fit changes nothing', async (t) => {
  const { say, services } = await start(t);
  for (const wrong of [
    {},
    { builtin_actions: [PUMP] },
    { builtin_actions: [{ ...PUMP, name: '../x' }], hooks: [] },
    { builtin_actions: [], hooks: [{ ...PUMP, checksum: 'x' }] },
    { builtin_actions: Array.from({ length: 201 }, () => PUMP), hooks: [] },
    { builtin_actions: [], hooks: [], containers: [] },
  ]) {
    assert.equal((await say('PUT', '/capabilities', wrong)).status, 400, JSON.stringify(wrong).slice(0, 80));
  }
  assert.equal((await services.nodes.get('default', NODE))?.builtin_actions.length, 3);
});

test('a group order reaches nodes that poll, under the execution id that all of its nodes share', async (t) => {
  const { addNode, services, say } = await start(t);
  await addNode('kiosk-2', ['kiosks']);
  await addNode('kiosk-3', ['kiosks']);

  const id = await invoke(services.invocations, { group: 'kiosks' }, { action: 'restart' });
  const given = await Promise.all(
    ['kiosk-2', 'kiosk-3'].map((node) => services.polling.fetch({ node, org: 'default' }, undefined)),
  );

  const names = given.flat().map(({ action_id }) => action_id);
  assert.deepEqual([names.length, new Set(names).size], [2, 1]);
  const [name = ''] = names;
  assert.equal((await say('POST', `/executions/${name}/result`, resultOf(name))).status, 404); // it is not kiosk-1's
  const done = { status: 'success', exit_code: 0, stdout: '', stderr: '' } as const;
  for (const node of ['kiosk-2', 'kiosk-3']) await services.polling.report({ node, org: 'default' }, name, done);
  assert.equal((await services.invocations.get('default', id))?.status, 'completed');
});

test('a token speaks for its own node alone, and no API token speaks for one', async (t) => {
  const { call, fetched, addNode, people, say } = await start(t);
  const other = await addNode('kiosk-2');
  const { executionId } = await fetched();
  const result = resultOf(executionId);
  const path = `/executions/${executionId}/result`;

  assert.equal((await say('POST', path, result, other)).status, 403);
  assert.equal((await say('POST', path, result, people.owner)).status, 401);
  assert.equal((await call('POST', `/v1/nodes/${NODE}${path}`, { body: result })).status, 401);
  assert.equal((await call('POST', `/v1/nodes/kiosk-2${path}`, { token: other, body: result })).status, 404);
  assert.equal((await call('GET', '/api/v1/nodes', { token: other })).status, 401);
});

test('a node with a key gets no token, and a node that polls is not enrolled with a key', async (t) => {
  const { services } = await start(t);
  await enrollNode(services, 'pump-1');
  const ask = (node: string, groups: string[] = []) =>
    services.polling.createToken(OWNER, { node, groups, labels: {} });

  await assertRejectsCode(ask('pump-1'), 'node_id_taken');
  await assertRejectsCode(ask('ctl-1'), 'node_id_not_allowed');
  await assertRejectsCode(ask(NODE, ['late']), 'conflict');
  await assertRejectsCode(enrollNode(services, NODE), 'node_id_taken');
});

test('a node that was removed is out at once, and one of its name starts with nothing of it', async (t) => {
  const { services, say, token, addNode } = await start(t);
  const announced = { builtin_actions: [PUMP], hooks: [] };
  assert.equal((await say('PUT', '/capabilities', announced)).status, 204);

  await services.nodes.remove(OWNER, NODE);
  const refused = await say('PUT', '/capabilities', announced);
  const fresh = await addNode(NODE);

  assert.equal(refused.status, 401);
  assert.equal((await say('PUT', '/capabilities', announced, token)).status, 401);
  assert.deepEqual((await services.nodes.get('default', NODE))?.builtin_actions, ['message', 'reboot', 'restart']);
  assert.equal((await say('PUT', '/capabilities', announced, fresh)).status, 204);
});

test('a node that polls is online while it does', async (t) => {
  const { services } = await start(t);
  const before = await services.nodes.get('default', NODE);

  await services.polling.fetch({ node: NODE, org: 'default' }, undefined);

  const after = await services.nodes.get('default', NODE);
  assert.deepEqual([before?.state, after?.state], ['never_seen', 'online']);
  assert.ok(after?.last_seen);
});
