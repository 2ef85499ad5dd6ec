import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeConnection } from '../../../controller/http/sandbox-schemas.js';
import type { CreateInvocation } from '../../../controller/http/schemas.js';
import type { Principal } from '../../../controller/services.js';
import { isMusterError } from '../../../protocol/errors.js';
import type { Selector } from '../../../protocol/selectors.js';
import { askFor } from '../../support/asks.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER, startTestCore, type TestCore } from '../../support/core.js';
import { setPolicy } from '../../support/policies.js';
import { makeSandbox } from '../../support/sandboxes.js';
import { type ScriptedAgent, startScriptedAgent } from '../../support/scripted-agent.js';
import { until } from '../../support/until.js';

const BODY = { bodySha256: '1'.repeat(64) };
const ACTIONS = ['gather_info', 'ping', 'prime'].map((name) => ({ name, description: '', parameters: [] }));
const PUMPS: NodeConnection = { target: { group: 'pumps' }, actions: ['*'] };

test('S-A-32, A-110: a sandbox sees the nodes of its connections, of them what it may ask for, and of invocations its own', async (t) => {
  const { muster } = await startFleet(t);
  const { services } = muster.core;
  const { principal } = await makeSandbox(muster, 'ci', [
    { target: { nodes: ['pump-1'] }, actions: ['gather_*'] },
    { target: { labels: { site: 'south' } }, actions: ['ping'] },
  ]);
  const other = await makeSandbox(muster, 'other');
  const own = await create(muster, principal, { nodes: ['pump-1'] }, { action: 'gather_info' });
  const foreign = [
    await create(muster, OWNER, { nodes: ['pump-1'] }, { action: 'gather_info' }),
    await create(muster, other.principal, { nodes: ['pump-1'] }, { action: 'gather_info' }),
  ];

  const { nodes, invocations } = services.seenBy(principal);
  const actions = await nodes.actions('default');

  assert.deepEqual(
    (await nodes.list('default', { limit: 1 })).items.map(({ node }) => node),
    ['pump-1'],
  );
  assert.deepEqual(
    actions.map(({ name, nodes: on }) => [name, on]),
    [
      ['gather_info', ['pump-1']],
      ['ping', ['valve-1']],
    ],
  );
  assert.equal(await nodes.get('default', 'pump-2'), undefined);
  assert.deepEqual(await nodes.groups('default'), [
    { group: 'pumps', nodes: 1 },
    { group: 'valves', nodes: 1 },
  ]);
  await assertRejectsCode(nodes.actions('default', 'pump-2'), 'unknown_node');
  assert.deepEqual(
    (await invocations.list('default', { limit: 50 })).items.map(({ id }) => id),
    [own],
  );
  assert.deepEqual((await invocations.list('default', { limit: 50, node: 'valve-1' })).items, []);
  for (const id of foreign) {
    assert.equal(await invocations.get('default', id), undefined);
    assert.equal(await invocations.executions('default', id, { limit: 1 }), undefined);
    assert.equal(await invocations.executionGroups('default', id, { limit: 1, group_by: 'outcome' }), undefined);
    assert.equal(await invocations.execution('default', id, 'pump-1'), undefined);
    assert.equal(await invocations.outputOf('default', id, { node: 'pump-1', stream: 'stdout' }), undefined);
    assert.equal(await invocations.whenDone('default', id, { ms: 0 }), undefined);
    assert.equal(await invocations.cancel(principal, id, {}), undefined);
  }
  assert.equal((await invocations.execution('default', own, 'pump-1'))?.node, 'pump-1');
});

test('what lies beyond the connections of a sandbox is refused as if it were not there', async (t) => {
  const { muster } = await startFleet(t);
  const { invocations } = muster.core.services;
  const { principal } = await makeSandbox(muster, 'ci', [
    { target: { nodes: ['pump-1'] }, actions: ['gather_*'] },
    { target: { nodes: ['pump-2'] }, actions: ['ping'] },
  ]);
  const refusal = async (who: Principal, target: Selector, action: string): Promise<string> => {
    const before = (await invocations.list('default', { limit: 50 })).items.length;
    const [asked, shown] = await Promise.allSettled([
      invocations.create(who, askFor(target, { action }), BODY),
      invocations.preview(who, askFor(target, { action })),
    ]);
    assert.equal((await invocations.list('default', { limit: 50 })).items.length, before, 'nothing is stored');
    assert.ok(asked.status === 'rejected' && isMusterError(asked.reason));
    if (shown.status === 'rejected') assert.equal(String(shown.reason), String(asked.reason));
    else assert.equal(shown.value.decision.kind, 'refused');
    return asked.reason.message;
  };

  assert.equal(await refusal(principal, { nodes: ['valve-1'] }, 'ping'), 'No node valve-1 is enrolled');
  assert.equal(await refusal(OWNER, { nodes: ['nowhere'] }, 'ping'), 'No node nowhere is enrolled');
  assert.equal(await refusal(principal, { group: 'valves' }, 'ping'), 'No node is a member of the group valves');
  assert.equal(await refusal(principal, { labels: { site: 'south' } }, 'ping'), 'The selector matches no node');
  assert.equal(await refusal(principal, { nodes: ['pump-1'] }, 'prime'), 'No target offers the action prime');
  const beyond = /reaches nodes that the sandbox is not connected to/;
  assert.match(await refusal(principal, { fleet: true }, 'ping'), beyond);
  const fleet = invocations.create(principal, askFor({ fleet: true }, { action: 'ping' }), BODY);
  await assertRejectsCode(fleet, 'outside_sandbox');
  // Of the pumps the first may be asked to gather and the second to ping, and neither both.
  assert.match(await refusal(principal, { group: 'pumps' }, 'ping'), /not connected to ping on all of these nodes/);
  assert.match(await refusal(principal, { nodes: ['pump-1', 'pump-2'] }, 'ping'), /not connected to ping on all/);
});

test('a group that lies within the connections of a sandbox is asked as a group, and no other node is', async (t) => {
  const { muster, of } = await startFleet(t);
  const { principal } = await makeSandbox(muster, 'ci', [PUMPS]);

  const id = await create(muster, principal, { group: 'pumps' }, { action: 'gather_info' });
  const offers = [await of('pump-1').nextOffer(), await of('pump-2').nextOffer()];

  for (const { request } of offers) {
    assert.deepEqual(request.target, { group: 'pumps' });
    assert.deepEqual([request.triggered_by?.type, request.triggered_by?.id], ['sandbox', principal.id]);
  }
  assert.equal(of('valve-1').offers.length, 0);
  assert.equal((await muster.core.services.invocations.get('default', id))?.counts.total, 2);
});

test('C-11, C-13: what a sandbox asks for goes by the risk of the policy: it reads at once, a write waits whatever it says, danger is denied', async (t) => {
  const { muster } = await startFleet(t);
  const { invocations } = muster.core.services;
  await setPolicy(muster, { risks: [{ actions: ['ping'], risk: 'danger' }] });
  const { principal } = await makeSandbox(muster, 'ci', [PUMPS]);
  const ask = async (action: string) =>
    (await invocations.create(principal, askFor({ nodes: ['pump-1'] }, { action, confirm: true }), BODY)).invocation;

  assert.equal((await ask('gather_info')).status, 'approved');
  assert.equal((await ask('prime')).status, 'pending');
  await assertRejectsCode(ask('ping'), 'denied_by_policy');
  const denied = await invocations.list('default', { limit: 1, status: ['denied'] });
  assert.equal(denied.items[0]?.created_by, principal.id);
});

test('a rule of the policy that names who may ask, and one that protects nodes, leave sandboxes out', async (t) => {
  const { muster } = await startFleet(t);
  const { create: ask } = muster.core.services.invocations;
  await setPolicy(muster, {
    access: [{ actions: ['gather_info'], ask: { role: 'operator' } }],
    protected: [{ labels: { site: 'south' }, role: 'operator' }],
  });
  const { principal } = await makeSandbox(muster, 'ci');
  const asking = (node: string, action: string) =>
    ask(principal, askFor({ nodes: [node] }, { action, reason: 'because' }), BODY);

  await assertRejectsCode(asking('pump-1', 'gather_info'), 'forbidden');
  await assertRejectsCode(asking('valve-1', 'prime'), 'forbidden');
  assert.equal((await asking('pump-1', 'prime')).invocation.status, 'pending');
});

test('promise 19: a node that has left the connections of a sandbox by the time of the approval is not asked', async (t) => {
  const { muster, of } = await startFleet(t);
  const { invocations, nodes } = muster.core.services;
  const { principal } = await makeSandbox(muster, 'ci', [PUMPS]);
  const { invocation } = await invocations.create(principal, askFor({ nodes: ['pump-1'] }, { action: 'prime' }), BODY);
  await nodes.change(OWNER, 'pump-1', { groups: [] });

  const refused = await assertRejectsCode(
    invocations.approve(OWNER, invocation.id, { digest: invocation.digest }),
    'conflict',
  );

  assert.match(refused.message, /denies it: The sandbox is not connected to prime/);
  assert.equal((await invocations.get('default', invocation.id))?.status, 'denied');
  assert.equal(of('pump-1').offers.length, 0);
});

test('a batch that is about to begin is held back when its sandbox was paused meanwhile', async (t) => {
  const { muster, of } = await startFleet(t);
  const { sandboxes, invocations } = muster.core.services;
  const { id: sandbox, principal } = await makeSandbox(muster, 'ci', [PUMPS]);
  const batch = { size: 1, max_failed: 1 };
  const id = await create(muster, principal, { group: 'pumps' }, { action: 'gather_info', batch });
  const first = await Promise.race(
    ['pump-1', 'pump-2'].map(async (node) => ({ node, offer: await of(node).nextOffer() })),
  );

  await sandboxes.change(OWNER, sandbox, { status: 'paused' });
  await of(first.node).ack(first.offer);
  await of(first.node).result(first.offer);
  await until(async () => (await invocations.get('default', id))?.completed_at, { what: 'the end of the roll-out' });

  assert.equal(of('pump-1').offers.length + of('pump-2').offers.length, 1);
});

async function create(
  { core }: TestCore,
  principal: Principal,
  target: Selector,
  changes: Partial<CreateInvocation>,
): Promise<string> {
  return (await core.services.invocations.create(principal, askFor(target, changes), BODY)).invocation.id;
}

/** Two pumps and a valve in the south. */
async function startFleet(t: TestScope): Promise<{ muster: TestCore; of: (node: string) => ScriptedAgent }> {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  await services.people.createUser(OWNER, { id: OWNER.id, role: 'owner' });
  const start = (node: string, group: string, site: string) =>
    startScriptedAgent(t, {
      ...{ services, brokerUrl: muster.brokerUrl, node },
      script: { groups: [group], labels: { site }, actions: ACTIONS },
    });
  const agents = await Promise.all([
    start('pump-1', 'pumps', 'north'),
    start('pump-2', 'pumps', 'north'),
    start('valve-1', 'valves', 'south'),
  ]);
  return {
    muster,
    of(node) {
      const agent = agents.find((each) => each.node === node);
      assert.ok(agent !== undefined);
      return agent;
    },
  };
}
