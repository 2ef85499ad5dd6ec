import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { Capabilities } from '../../../protocol/messages/capabilities.js';
import type { TestCore } from '../../support/core.js';
import { Answered, CONTAINER_ACTIONS, DB, startDocker, WEB } from '../../support/docker-node.js';
import { startPollingInstallation } from '../../support/polling.js';
import { makeSandbox } from '../../support/sandboxes.js';
import { until } from '../../support/until.js';

/** Its name is none that anybody could ask for. */
const NAMELESS = { id: '5'.repeat(64), name: 'x'.repeat(200), state: 'running' };

const SAFE = { 'muster.protected': 'true' };

test('a container that is labelled muster.protected is stopped and restarted by admins who say why, by every way to ask', async (t) => {
  const installation = await startPollingInstallation(t);
  const { call, people } = installation;
  const labels = { 'muster.protected': 'true' };
  const agent = await startDocker(t, installation, {
    containers: [{ ...WEB, labels }, DB, { ...NAMELESS, labels }],
    runs: true,
  });
  const codeOf = ({ status, body }: Awaited<ReturnType<typeof call>>) => [
    status,
    z.object({ code: z.string().optional() }).parse(body).code,
  ];
  const ask = async (token: string, action: string, reason?: string) =>
    codeOf(await call('POST', '/api/containers/web/actions', { token, body: { action, reason } }));
  const run = async (token: string, container: string, reason?: string) => {
    const body = { action: 'container_stop', target: { nodes: [agent.node] }, parameters: { container }, reason };
    return codeOf(await call('POST', '/api/v1/invocations', { token, body: { ...body, confirm: true } }));
  };

  for (const action of ['STOP', 'RESTART']) {
    assert.deepEqual(await ask(people.operator, action, 'ticket 4711'), [403, 'forbidden']);
    assert.deepEqual(await ask(people.admin, action), [403, 'reason_required']);
  }
  for (const container of [WEB.id, WEB.id.slice(0, 12), WEB.id.slice(0, 40), 'web']) {
    assert.deepEqual(await run(people.operator, container, 'ticket 4711'), [403, 'forbidden'], container);
    assert.deepEqual(await run(people.owner, container), [403, 'reason_required'], container);
  }
  assert.deepEqual(await run(people.operator, NAMELESS.id, 'ticket 4711'), [403, 'forbidden']);
  assert.equal(agent.offers.length, 0);
  assert.deepEqual(await ask(people.admin, 'STOP', 'ticket 4711'), [200, undefined]);
  assert.deepEqual(await ask(people.admin, 'START'), [200, undefined]);
  assert.deepEqual(await run(people.admin, 'db'), [200, undefined]);
});

test('what an operator asked for is held against the labels that the container has when somebody approves it', async (t) => {
  const installation = await startPollingInstallation(t);
  const { call, people, muster } = installation;
  const agent = await startDocker(t, installation, { containers: [WEB], runs: true });
  const asked = await call('POST', '/api/containers/web/actions', { token: people.operator, body: { action: 'STOP' } });
  const { action_id: id } = Answered.parse(asked.body);
  const waiting = await call('GET', `/api/v1/invocations/${id}`, { token: people.admin });
  const { digest } = z.object({ invocation: z.object({ digest: z.string() }) }).parse(waiting.body).invocation;

  await agent.announceAs({
    actions: CONTAINER_ACTIONS,
    containers: [{ ...WEB, labels: { 'muster.protected': 'true' } }],
  });
  await until(async () => JSON.stringify(await announced(muster)).includes('protected'), { what: 'the label' });
  const { status, body } = await call('POST', `/api/v1/invocations/${id}/approve`, {
    token: people.admin,
    body: { digest },
  });

  assert.deepEqual([status, z.object({ code: z.string() }).parse(body).code], [409, 'conflict']);
  const ended = await muster.core.services.invocations.get('default', id);
  assert.deepEqual([ended?.status, ended?.error?.split(':', 1)[0]], ['denied', 'policy_revalidated_deny']);
  assert.equal(agent.offers.length, 0);
});

test('labels in an announcement that are none protect nothing, and hide no container', async (t) => {
  const installation = await startPollingInstallation(t);
  const { call, people } = installation;
  for (const [index, labels] of [
    null,
    'muster.protected=true',
    { 'muster.protected': true },
    ['x'],
    { '': 'x' },
  ].entries()) {
    const node = `docker-${index + 1}`;
    await startDocker(t, installation, {
      node,
      containers: [{ ...WEB, id: `${index}`.repeat(64), name: node, labels }],
      runs: true,
    });
    const { status } = await call('POST', `/api/containers/${node}/actions`, {
      token: people.admin,
      body: { action: 'STOP' },
    });
    assert.equal(status, 200, JSON.stringify(labels));
  }
});

test('a container is protected whatever else is odd about what was announced of it', async (t) => {
  const installation = await startPollingInstallation(t);
  const { call, people } = installation;
  const odd: readonly Readonly<Record<string, unknown>>[] = [
    { name: `${'x'.repeat(127)}…` },
    { name: '' },
    { name: 7 },
    { labels: { 'muster.protected': 'true', ['k'.repeat(64)]: 'x', '': 'x', long: 'x'.repeat(257), number: 1 } },
    { labels: { ...Object.fromEntries(Array.from({ length: 70 }, (_, index) => [`many-${index}`, 'x'])), ...SAFE } },
  ];
  const containers = odd.map((each, index) => ({ ...WEB, labels: SAFE, ...each, id: `${index}`.repeat(64) }));
  const { node } = await startDocker(t, installation, { containers });

  for (const { id } of containers) {
    const body = { action: 'container_stop', target: { nodes: [node] }, parameters: { container: id }, confirm: true };
    const { body: answer } = await call('POST', '/api/v1/invocations', { token: people.owner, body });
    assert.equal(z.object({ code: z.string() }).parse(answer).code, 'reason_required', id);
  }
  assert.equal((await call('GET', `/api/v1/nodes/${node}`, { token: people.viewer })).status, 200);
});

test('a sandbox learns of the containers of a node only when it may ask for something about them', async (t) => {
  const installation = await startPollingInstallation(t);
  const { muster } = installation;
  const { node } = await startDocker(t, installation, { containers: [WEB] });
  const target = { nodes: [node] };
  const shownTo = async (actions: string[]): Promise<unknown> => {
    const { principal } = await makeSandbox(muster, actions.join('-'), [{ target, actions }]);
    const shown = await muster.core.services.seenBy(principal).nodes.get('default', node);
    return shown?.containers.map(({ id }) => id);
  };

  assert.deepEqual([await shownTo(['ping']), await shownTo(['container_start'])], [[], [WEB.id]]);
});

test('a node shows the containers that it announced, and nothing else that it said of them', async (t) => {
  const installation = await startPollingInstallation(t);
  const { call, people } = installation;
  const web = { ...WEB, image: 'nginx:1', labels: { site: 'north' }, secret: 'hunter2' };
  await startDocker(t, installation, { containers: [web, { id: DB.id }, { name: 'no-id' }, { id: '../x' }] });

  const { body } = await call('GET', '/api/v1/nodes/docker-1', { token: people.viewer });

  assert.deepEqual(z.object({ containers: z.array(z.unknown()) }).parse(body).containers, [
    { id: WEB.id, name: 'web', image: 'nginx:1', state: 'running', labels: { site: 'north' } },
    { id: DB.id, name: null, image: null, state: null, labels: {} },
  ]);
});

test('containers that come and go leave no row in the audit trail, and what a node can do does', async (t) => {
  const installation = await startPollingInstallation(t);
  const { muster } = installation;
  const agent = await startDocker(t, installation, { containers: [WEB] });
  const rows = async (): Promise<number> =>
    (await muster.store.read.selectFrom('audit').select('event').where('event', '=', 'capabilities_changed').execute())
      .length;
  const before = await rows();

  await agent.announceAs({ actions: CONTAINER_ACTIONS, containers: [{ ...WEB, state: 'exited' }, DB] });
  await until(async () => (await announced(muster)).length === 2, { what: 'the second container' });
  assert.equal(await rows(), before);
  const record = () => muster.core.services.nodes.get('default', 'docker-1');
  const both = { actions: CONTAINER_ACTIONS, containers: [{ ...WEB, state: 'exited' }, DB] };
  for (const limits of [{ containers_left_out: 1 }, {}]) {
    await agent.announceAs({ ...both, limits });
    await until(async () => JSON.stringify((await record())?.limits) === JSON.stringify(limits), {
      what: 'the limits',
    });
  }
  assert.equal(await rows(), before, 'that there may be more, and that there are none');
  await agent.announceAs({ actions: CONTAINER_ACTIONS.slice(1), containers: [DB] });
  await until(async () => (await announced(muster)).length === 1, { what: 'the first is gone' });
  assert.equal(await rows(), before + 1);
});

/** The containers that the one node of the store announces. */
async function announced({ store }: TestCore): Promise<readonly unknown[]> {
  const { capabilities } = await store.read.selectFrom('nodes').select('capabilities').executeTakeFirstOrThrow();
  return capabilities === null ? [] : Capabilities.parse(JSON.parse(capabilities)).containers;
}
