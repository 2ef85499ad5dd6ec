import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import type { Principal } from '../../../controller/services.js';
import { signEnvelope } from '../../../protocol/envelope.js';
import { generateKeyPair } from '../../../runtime/key-file.js';
import { invoke } from '../../support/asks.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { auditRows } from '../../support/audit-rows.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER, startTestCore, type TestCore } from '../../support/core.js';
import { refusalOf } from '../../support/mqtt-clients.js';
import {
  type AgentScript,
  enrollment,
  enrollNode,
  type ScriptedAgent,
  startScriptedAgent,
} from '../../support/scripted-agent.js';
import { until } from '../../support/until.js';

const FOREIGNER: Principal = { id: 'eve', org: 'other', role: 'owner' };

test('promise 20: what a removed node says is believed by nobody, and our broker ends its connection', async (t) => {
  const { muster, agent } = await startPair(t);
  const { services, ingest } = muster.core;
  const id = await invoke(services.invocations, { nodes: ['pump-1'] });
  const offered = await agent.nextOffer();
  const result = signEnvelope('muster-result', JSON.stringify(agent.resultOf(offered)), agent.keys.signing);

  assert.equal(await services.nodes.remove(OWNER, 'pump-1'), true);
  await ingest.take({ kind: 'result', levels: { node: 'pump-1' }, payload: Buffer.from(result) });

  assert.equal((await muster.store.read.selectFrom('results').selectAll().execute()).length, 0);
  assert.match((await services.metrics()).body, /messages_refused_total\{code="unknown_key"\} 1\n/);
  assert.deepEqual(
    [(await services.nodes.get('default', 'pump-1')) ?? 'gone', muster.core.presence.connectedCount],
    ['gone', 0],
  );
  await until(() => !agent.session.connected, { what: 'the broker ends the connection' });
  assert.equal((await services.invocations.get('default', id))?.status, 'failed');
});

test('what is open on a removed node ends: it never left, or nobody will say what became of it', async (t) => {
  const { muster, agent } = await startPair(t);
  const { invocations, nodes } = muster.core.services;
  const offered = await invoke(invocations, { nodes: ['pump-1'] });
  await agent.ack(await agent.nextOffer());
  await agent.goOffline();
  await until(() => !muster.core.presence.isConnected('pump-1'), { what: 'the node is away' });
  const waiting = await invoke(invocations, { nodes: ['pump-1'] });

  await nodes.remove(OWNER, 'pump-1');

  const shown = async (id: string) => {
    const { status, error_code, launched, provisional } = (await invocations.execution('default', id, 'pump-1')) ?? {};
    return [(await invocations.get('default', id))?.status, status, error_code, launched, provisional];
  };
  assert.deepEqual(await shown(offered), ['failed', 'error', 'node_removed', 'unknown', false]);
  assert.deepEqual(await shown(waiting), ['failed', 'cancelled', null, null, false]);
  const [row] = await auditRows(muster.store, 'node_removed');
  assert.deepEqual([row?.actor, row?.subject], ['owner', 'node:pump-1']);
  assert.equal((await auditRows(muster.store, 'execution_concluded')).length, 2);
  await assertRejectsCode(invoke(invocations, { nodes: ['pump-1'] }), 'unknown_node');
});

test('what waits for its batch on a removed node ends with it: nobody who gets its name inherits it', async (t) => {
  const { muster } = await startPair(t);
  const { services } = muster.core;
  await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-2' });
  const id = await invoke(services.invocations, { nodes: ['pump-1', 'pump-2'] }, { batch: { size: 1, max_failed: 0 } });
  const stateOf = async () => (await services.invocations.execution('default', id, 'pump-2'))?.status;
  assert.equal(await stateOf(), 'held');

  await services.nodes.remove(OWNER, 'pump-2');

  assert.equal(await stateOf(), 'cancelled');
});

test('a node that was removed is told of as removed, and not as offline after that', async (t) => {
  const { muster } = await startPair(t);
  const { services } = muster.core;
  const { brokerUrl } = muster;
  const other = await startScriptedAgent(t, { services, brokerUrl, node: 'pump-2' });
  const told = async () => (await muster.store.read.selectFrom('events').select('body').execute()).flatMap(changesIn);
  await until(async () => (await told()).filter((each) => each.endsWith('online')).length === 2, { what: 'both came' });

  await services.nodes.remove(OWNER, 'pump-1');
  await other.goOffline();

  await until(async () => (await told()).includes('pump-2 offline'), { what: 'the other one went' });
  assert.deepEqual(
    (await told()).filter((each) => each.startsWith('pump-1') && !each.endsWith('changed')),
    ['pump-1 enrolled', 'pump-1 online', 'pump-1 removed'],
  );
});

test('a controller that was killed after the removal ends what was open when it starts', async (t) => {
  const { muster, agent } = await startPair(t);
  const id = await invoke(muster.core.services.invocations, { nodes: ['pump-1'] });
  await agent.nextOffer();
  await muster.stop();
  await muster.start();
  await muster.store.write((tx) =>
    tx.updateTable('nodes').set({ revoked_at: 1 }).where('node', '=', 'pump-1').execute(),
  );
  await muster.stop();

  await muster.start();

  const ended = await muster.core.services.invocations.whenDone('default', id, { ms: 10_000 });
  assert.equal(ended?.status, 'failed');
});

test('the name of a removed node is free for another key, and the old key stays out', async (t) => {
  const { muster, agent } = await startPair(t, { groups: ['pumps'] });
  const { services } = muster.core;
  const old = agent.keys;
  await services.nodes.remove(OWNER, 'pump-1');

  const next = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });

  const { token } = await services.enrollment.createToken(OWNER, { uses: 2, expires_in: '1h', groups: [], labels: {} });
  await assertRejectsCode(
    services.enrollment.enroll(enrollment(old, { token, node_id: 'pump-1' })),
    'enrollment_token_invalid',
  );
  await assertRejectsCode(
    services.enrollment.enroll(enrollment(generateKeyPair(), { token, node_id: 'pump-1' })),
    'node_id_taken',
  );
  const id = await invoke(services.invocations, { nodes: ['pump-1'] });
  await next.result(await next.nextOffer());
  assert.equal((await services.invocations.whenDone('default', id, { ms: 10_000 }))?.status, 'completed');
  assert.deepEqual((await services.nodes.get('default', 'pump-1'))?.groups, []);
  const keys = await muster.store.read.selectFrom('node_keys').select(['kid', 'revoked_at']).execute();
  assert.deepEqual(
    keys.map(({ kid, revoked_at }) => [kid, revoked_at === null]).sort(),
    [
      [old.public.kid, false],
      [next.keys.public.kid, true],
    ].sort(),
  );
});

test('the old password of a node that came back under its name stays void at our broker', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const { enrolled: before } = await enrollNode(services, 'pump-1');
  await services.nodes.remove(OWNER, 'pump-1');
  const { enrolled: after } = await enrollNode(services, 'pump-1');
  const credential = (password: string) => ({ clientId: 'pump-1', username: 'pump-1', password });

  const isRefused = (password: string): Promise<boolean> =>
    refusalOf(muster.brokerUrl, credential(password)).then(
      (code) => code === 4,
      () => false, // it was let in
    );
  await until(() => isRefused(before.broker.password), { what: 'the old password is refused' });
  assert.equal(await isRefused(after.broker.password), false);
});

test('groups and labels that somebody changes reach the node, the selectors and the next start', async (t) => {
  const { muster, agent } = await startPair(t, { groups: ['pumps'], labels: { site: 'north' } });
  const { nodes, invocations } = muster.core.services;

  const changed = await nodes.change(OWNER, 'pump-1', { labels: { site: 'south' }, groups: ['pumps', 'spares'] });
  assert.deepEqual([changed?.groups, changed?.labels], [['pumps', 'spares'], { site: 'south' }]);
  await until(() => agent.controls.some(({ kind }) => kind === 'announce'), { what: 'the node is asked to say hello' });
  await agent.hello();

  const welcome = agent.controls.filter((control) => control.kind === 'welcome').at(-1);
  assert.deepEqual(welcome?.groups.map(({ id }) => id).sort(), ['pumps', 'spares']);
  assert.deepEqual(welcome?.labels, { site: 'south' });
  assert.notEqual(welcome?.password, undefined, 'its password names its groups');
  await invoke(invocations, { labels: { site: 'south' } });
  await assertRejectsCode(invoke(invocations, { labels: { site: 'north' } }), 'no_target');
  assert.deepEqual(await auditRows(muster.store, 'node_changed'), [
    { actor: 'owner', subject: 'node:pump-1', details: { groups: 'pumps spares', labels: '{"site":"south"}' } },
  ]);
  await muster.stop();
  await muster.start();
  assert.deepEqual((await muster.core.services.nodes.get('default', 'pump-1'))?.groups, ['pumps', 'spares']);
});

test('a membership that stays keeps its time, a new one begins now, and the same again is no change', async (t) => {
  const { muster } = await startPair(t, { groups: ['pumps'] });
  const { nodes } = muster.core.services;
  const sinceOf = async (): Promise<Map<string, number>> =>
    new Map(
      (await muster.store.read.selectFrom('node_groups').selectAll().execute()).map(({ group, since }) => [
        group,
        since,
      ]),
    );
  const before = (await sinceOf()).get('pumps') ?? 0;

  await nodes.change(OWNER, 'pump-1', { groups: ['spares', 'pumps'] });
  await nodes.change(OWNER, 'pump-1', { groups: ['pumps', 'spares'] });
  await nodes.change(OWNER, 'pump-1', {});

  const after = await sinceOf();
  assert.equal(after.get('pumps'), before);
  assert.ok((after.get('spares') ?? 0) >= before);
  assert.equal((await auditRows(muster.store, 'node_changed')).length, 1);
});

test('a change and a hello at the same moment lose nothing of each other', async (t) => {
  const { muster, agent } = await startPair(t);
  const { nodes } = muster.core.services;

  for (let round = 0; round < 10; round += 1) {
    const hello = agent.hello();
    await nodes.change(OWNER, 'pump-1', { groups: [`g${round}`] });
    await hello;
    assert.deepEqual((await nodes.get('default', 'pump-1'))?.groups, [`g${round}`]);
  }
});

test('nobody changes or removes a node of another org, or one that is not there', async (t) => {
  const { muster } = await startPair(t);
  const { nodes } = muster.core.services;

  assert.equal(await nodes.remove(FOREIGNER, 'pump-1'), false);
  assert.equal(await nodes.change(FOREIGNER, 'pump-1', { groups: ['mine'] }), undefined);
  assert.equal(await nodes.remove(OWNER, 'pump-2'), false);
  assert.equal(await nodes.remove(OWNER, 'pump-1'), true);
  assert.equal(await nodes.remove(OWNER, 'pump-1'), false);
  assert.equal((await auditRows(muster.store, 'node_removed')).length, 1);
});

async function startPair(t: TestScope, script: AgentScript = {}): Promise<{ muster: TestCore; agent: ScriptedAgent }> {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  return {
    muster,
    agent: await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1', script }),
  };
}

/** `{node} {change}` of each event about a node in a row of the log of events. */
function changesIn({ body }: { body: string }): string[] {
  const Change = z.object({ type: z.literal('node'), node: z.string(), change: z.string() });
  return z
    .array(z.unknown())
    .parse(JSON.parse(body))
    .flatMap((event) => {
      const parsed = Change.safeParse(event);
      return parsed.success ? [`${parsed.data.node} ${parsed.data.change}`] : [];
    });
}
