import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import type { Client } from '../../cli/client.js';
import { InvocationAnswer, NodeView } from '../../controller/http/schemas.js';
import { sendJson, startStandInEngine } from '../support/engines/stand-in.js';
import { startInstallation } from '../support/installation.js';
import { until } from '../support/until.js';

const Told = z.strictObject({
  type: z.literal('action_result'),
  action_id: z.string(),
  status: z.enum(['SUCCESS', 'FAILURE', 'PENDING']),
  error: z.string(),
  error_code: z.string().optional(),
});

/** Asks the route of containers with this token; a refusal is its status and code. */
async function act(
  { url, token }: { url: string; token: string },
  container: string,
  action: string,
): Promise<Readonly<{ status: number; said: string | undefined; error: string; code: string | undefined }>> {
  const response = await fetch(`${url}/api/containers/${container}/actions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ action, reason: 'ticket 4711' }),
  });
  const body: unknown = await response.json();
  if (response.status !== 200 && response.status !== 202) {
    return {
      status: response.status,
      said: undefined,
      error: '',
      code: z.object({ code: z.string() }).parse(body).code,
    };
  }
  const { status: said, error, error_code: code } = Told.parse(body);
  return { status: response.status, said, error, code };
}

test('D-4, D-13: a container is started, stopped and restarted from the REST API to the engine and back; failure, time-out and absence are told apart', async (t) => {
  const engine = await startStandInEngine(t);
  const id = await engine.create({ name: 'web', labels: { site: 'north' } });
  const installation = await startInstallation(t, { agent: { containers_socket: engine.socket } });
  const { client, agents } = installation;
  const caller = { url: installation.url, token: installation.ownerToken };
  const web = (action: string) => act(caller, 'web', action);
  await until(async () => (await web('START')).status === 200, { what: 'the container is announced' });

  assert.deepEqual((await web('RESTART')).said, 'SUCCESS');
  assert.deepEqual((await act(caller, id, 'STOP')).said, 'SUCCESS');
  const changing = engine.asked.filter((call) => call.startsWith('POST'));
  assert.deepEqual(changing.slice(-2), [`POST /containers/${id}/restart?t=10`, `POST /containers/${id}/stop?t=10`]);

  engine.answer('POST', (_, response) => sendJson(response, 500, { message: 'port is already allocated' }));
  const refused = await web('START');
  assert.deepEqual(
    [refused.said, refused.error, refused.code],
    ['FAILURE', 'The container engine refused: port is already allocated (500).', 'engine_refused'],
  );
  engine.answer('POST', () => undefined);
  const { executions } = await runStart(client, id);
  assert.deepEqual([executions?.[0]?.status, executions?.[0]?.error_code], ['error', 'engine_timeout']);
  engine.answer('POST');

  assert.equal((await act(caller, 'absent', 'START')).code, 'not_found');
  await engine.stop();
  assert.equal((await web('START')).code, 'engine_unavailable');
  await agents[0]?.stop(AbortSignal.abort());
  await until(async () => (await web('START')).code === 'node_offline', { what: 'the node is away' });
  assert.equal((await web('START')).status, 503);
});

test('S-D-14: a verb that no agent has reaches no engine', async (t) => {
  const engine = await startStandInEngine(t);
  await engine.create({ name: 'web' });
  const { client } = await startInstallation(t, { agent: { containers_socket: engine.socket } });

  for (const action of ['container_kill', 'container_exec', 'container_remove', 'KILL']) {
    const body = { action, target: { nodes: ['node-1'] }, parameters: { container: 'web' }, confirm: true };
    await assert.rejects(client.call(InvocationAnswer, { method: 'POST', path: '/invocations', body }), {
      code: 'unknown_action',
    });
  }

  const asked = engine.asked.filter(
    (call) => !call.startsWith('GET /events') && !call.startsWith('GET /containers/json'),
  );
  assert.deepEqual(asked, []);
});

test('until its engine has told which containers a node has, what is asked of one needs what a protected one needs', async (t) => {
  const engine = await startStandInEngine(t);
  const id = await engine.create({ name: 'web' });
  engine.answer('GET /containers/json', (_, response) => sendJson(response, 500, { message: 'starting' }));
  const { client } = await startInstallation(t, { agent: { containers_socket: engine.socket } });
  const stop = (): Promise<InvocationAnswer> => {
    const body = { action: 'container_stop', target: { nodes: ['node-1'] }, parameters: { container: id } };
    const asked = { ...body, confirm: true };
    return client.call(InvocationAnswer, { method: 'POST', path: '/invocations', body: asked });
  };
  const isKnown = async (): Promise<boolean> => {
    const { builtin_actions } = await client.call(NodeView, { path: '/nodes/node-1' });
    return builtin_actions.includes('container_stop');
  };
  await until(isKnown, { what: 'its actions are announced' });

  await assert.rejects(stop(), { code: 'reason_required' });
  engine.answer('GET /containers/json');

  const accepted = await until(() => stop().catch(() => undefined), { what: 'the list is announced' });
  assert.equal(accepted.invocation.action, 'container_stop');
});

/** With a time-out of little more than what is kept for the last look. */
function runStart(client: Client, container: string) {
  const body = { action: 'container_start', target: { nodes: ['node-1'] }, parameters: { container } };
  return client.call(InvocationAnswer, {
    ...{ method: 'POST', path: '/invocations', waitSeconds: 20 },
    body: { ...body, timeout: '6s', confirm: true },
  });
}
