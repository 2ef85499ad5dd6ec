import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Services } from '../../../controller/services.js';
import type { HookSpec } from '../../../protocol/messages/capabilities.js';
import { invoke } from '../../support/asks.js';
import type { TestScope } from '../../support/broker.js';
import { startTestCore, type TestCore } from '../../support/core.js';
import { type AgentScript, type ScriptedAgent, startScriptedAgent } from '../../support/scripted-agent.js';
import { until } from '../../support/until.js';

test('an ask for the fleet is one publish with one execution id, and ends when all have answered', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const agents = await startAgents(t, muster, ['a', 'b', 'c'], { runs: true });

  const id = await invoke(services.invocations, { fleet: true }, { spread: '100ms' });
  const done = await services.invocations.whenDone('default', id, { ms: 10_000 });

  assert.equal(done?.status, 'completed');
  assert.equal(done.counts.success, 3);
  const offers = agents.map(({ offers: [first] }) => first);
  assert.deepEqual(
    offers.map((offered) => offered?.kind),
    ['fleet_request', 'fleet_request', 'fleet_request'],
  );
  assert.equal(new Set(offers.map((offered) => offered?.sha256)).size, 1);
  assert.equal(offers[0]?.request.spread, '100ms');
  assert.equal(offers[0]?.request.roster_at, offers[0]?.request.issued_at);
});

test('a spread stands also in the requests that each node gets of its own', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const [a, b] = await startAgents(t, muster, ['a', 'b'], { runs: true });

  const id = await invoke(services.invocations, { nodes: ['a', 'b'] }, { spread: '100ms' });
  await services.invocations.whenDone('default', id, { ms: 10_000 });

  assert.deepEqual(
    [a, b].map((agent) => [agent?.offers[0]?.kind, agent?.offers[0]?.request.spread]),
    [
      ['node_request', '100ms'],
      ['node_request', '100ms'],
    ],
  );
});

test('an ask for a group reaches its members on their topic, and nobody else', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const members = await startAgents(t, muster, ['a', 'b'], { runs: true, groups: ['pumps'] });
  const [other] = await startAgents(t, muster, ['c'], { runs: true });

  const id = await invoke(services.invocations, { group: 'pumps' });
  const done = await services.invocations.whenDone('default', id, { ms: 10_000 });

  assert.equal(done?.counts.total, 2);
  assert.deepEqual(
    members.map(({ offers }) => offers[0]?.kind),
    ['group_request', 'group_request'],
  );
  assert.equal(other?.offers.length, 0);
});

test('a node that missed a broadcast is offered the same octets on its own topic', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const [a, b, late] = await startAgents(t, muster, ['a', 'b', 'c'], {});
  assert.ok(a && b && late);
  await late.hello();
  await goAway(services, late);

  const id = await invoke(services.invocations, { fleet: true });
  const offered = await a.nextOffer();
  const missed = await late.nextOffer();
  await late.hello();
  const again = await late.nextOffer();

  assert.equal(missed.kind, 'fleet_request');
  assert.deepEqual([again.kind, again.sha256], ['node_request', offered.sha256]);
  for (const agent of [a, b, late]) await agent.result(offered);
  assert.equal((await services.invocations.whenDone('default', id, { ms: 5_000 }))?.status, 'completed');
});

test('a selector of labels makes one request per node under one execution id', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const north = await startAgents(t, muster, ['a', 'b'], { runs: true, labels: { site: 'north', tier: '1' } });
  await startAgents(t, muster, ['c'], { runs: true, labels: { site: 'south', tier: '1' } });

  const id = await invoke(services.invocations, { labels: { site: 'north', tier: '1' } });
  await services.invocations.whenDone('default', id, { ms: 10_000 });

  const requests = north.map(({ offers }) => offers[0]?.request);
  assert.deepEqual(
    requests.map((request) => request?.target),
    [{ node: 'a' }, { node: 'b' }],
  );
  assert.equal(new Set(requests.map((request) => request?.execution_id)).size, 1);
});

test('a hook is broadcast when all targets pin the same checksum', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const agents = await startAgents(t, muster, ['a', 'b'], { runs: true, hooks: [hook('1'.repeat(64))] });

  const id = await invoke(services.invocations, { fleet: true }, { action: 'deploy' });
  await services.invocations.whenDone('default', id, { ms: 10_000 });

  for (const { offers } of agents) {
    assert.deepEqual([offers[0]?.kind, offers[0]?.request.checksum], ['fleet_request', '1'.repeat(64)]);
  }
});

test('where targets have different versions of a hook, each gets its own request', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const [a] = await startAgents(t, muster, ['a'], { runs: true, hooks: [hook('1'.repeat(64))] });
  const [b] = await startAgents(t, muster, ['b'], { runs: true, hooks: [hook('2'.repeat(64))] });

  const id = await invoke(services.invocations, { fleet: true }, { action: 'deploy' });
  await services.invocations.whenDone('default', id, { ms: 10_000 });

  assert.deepEqual([a?.offers[0]?.kind, a?.offers[0]?.request.checksum], ['node_request', '1'.repeat(64)]);
  assert.deepEqual([b?.offers[0]?.kind, b?.offers[0]?.request.checksum], ['node_request', '2'.repeat(64)]);
  assert.equal(a?.offers[0]?.request.execution_id, b?.offers[0]?.request.execution_id);
});

function startAgents(
  t: TestScope,
  muster: TestCore,
  nodes: readonly string[],
  script: AgentScript,
): Promise<ScriptedAgent[]> {
  const { services } = muster.core;
  return Promise.all(
    nodes.map((node) => startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node, script })),
  );
}

async function goAway(services: Services, agent: ScriptedAgent): Promise<void> {
  await agent.goOffline();
  await until(async () => (await services.nodes.get('default', agent.node))?.state === 'offline', { what: 'offline' });
}

function hook(checksum: string): HookSpec {
  return { name: 'deploy', description: '', parameters: [], source: 'local', checksum, sandbox: 'none' };
}
