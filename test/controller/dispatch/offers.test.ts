import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Services } from '../../../controller/services.js';
import { type Clock, SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { invoke } from '../../support/asks.js';
import { startTestCore } from '../../support/core.js';
import { type ScriptedAgent, startScriptedAgent } from '../../support/scripted-agent.js';
import { createTestClock } from '../../support/test-clock.js';
import { until } from '../../support/until.js';

test('what nobody acks is offered again, the same octets (promise 3)', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });

  await invoke(services.invocations, { nodes: ['pump-1'] });
  const first = await agent.nextOffer();
  const second = await agent.nextOffer();

  assert.deepEqual(second, first);
});

test('an acked execution is offered no more, and a hello brings it as wanted', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });
  const id = await invoke(services.invocations, { nodes: ['pump-1'] });
  const offered = await agent.nextOffer();

  await agent.ack(offered);
  await until(async () => (await services.invocations.get('default', id))?.status === 'executing', {
    what: 'executing',
  });
  const before = agent.offers.length;
  await agent.hello();

  const welcome = agent.controls.filter(({ kind }) => kind === 'welcome').at(-1);
  assert.deepEqual(welcome?.kind === 'welcome' ? welcome.wanted : undefined, [offered.request.execution_id]);
  assert.equal(agent.offers.length, before);
  assert.equal((await services.invocations.execution('default', id, 'pump-1'))?.status, 'accepted');
});

test('a node that was away gets its requests at its hello, oldest first, at most ten un-acked at a time', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });
  await goAway(services, agent);
  for (let count = 0; count < 15; count += 1) {
    await invoke(services.invocations, { nodes: ['pump-1'] }, { reason: `${count}` });
  }
  assert.equal(agent.offers.length, 0);

  await agent.hello();
  const taken: string[] = [];
  for (let count = 0; count < 15; count += 1) {
    const offered = await agent.nextOffer();
    taken.push(offered.request.triggered_by?.reason ?? '');
    if (count === 9) {
      assert.equal(new Set(agent.offers.map(({ sha256 }) => sha256)).size, 10);
      for (const each of agent.offers.slice(0, 10)) await agent.ack(each);
    }
  }

  assert.deepEqual(
    [...new Set(taken)],
    Array.from({ length: 15 }, (_, index) => `${index}`),
  );
});

test('S-M-4: a request for a node that is away is issued when the node is back', async (t) => {
  const clock = createTestClock();
  const muster = await startTestCore(t, { clock });
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });
  await goAway(services, agent);
  const id = await invoke(services.invocations, { nodes: ['pump-1'] });
  const asked = await services.invocations.get('default', id);
  assert.equal((await services.invocations.execution('default', id, 'pump-1'))?.request_sha256, null);

  clock.advance(600_000);
  await agent.hello();
  const { request } = await agent.nextOffer();

  assert.ok(Date.parse(request.issued_at) >= Date.parse(asked?.created_at ?? '') + 600_000);
  assert.equal(request.expires_at, asked?.expires_at);
});

test('a passing rejection is offered again when a result frees a slot, and says why it waits', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });
  const running = await invoke(services.invocations, { nodes: ['pump-1'] });
  const first = await agent.nextOffer();
  await agent.ack(first);
  const waiting = await invoke(services.invocations, { nodes: ['pump-1'] });
  const second = await agent.nextOffer();

  await agent.ack(second, 'max_concurrent_reached');
  await until(
    async () =>
      (await services.invocations.execution('default', waiting, 'pump-1'))?.reason === 'max_concurrent_reached',
    { what: 'the reason' },
  );
  await agent.result(first);
  const again = await agent.nextOffer();
  await agent.ack(again);
  await agent.result(again);

  assert.deepEqual(again, second);
  for (const id of [running, waiting]) {
    const done = await services.invocations.whenDone('default', id, { ms: 5_000 });
    assert.equal(done?.status, 'completed');
  }
  assert.equal((await services.invocations.execution('default', waiting, 'pump-1'))?.reason, null);
});

test('what one action of a node is too busy for lets other work of the node pass, until something has ended', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });
  await invoke(services.invocations, { nodes: ['pump-1'] });
  const running = await agent.nextOffer();
  await agent.ack(running);
  const waiting = await invoke(services.invocations, { nodes: ['pump-1'] });
  const refused = await agent.nextOffer();
  await agent.ack(refused, 'max_concurrent_reached');
  await until(
    async () =>
      (await services.invocations.execution('default', waiting, 'pump-1'))?.reason === 'max_concurrent_reached',
    { what: 'the refusal' },
  );
  await invoke(services.invocations, { nodes: ['pump-1'] });

  const other = await agent.nextOffer();
  await agent.ack(other);
  await agent.result(running);
  const again = await agent.nextOffer();

  assert.notEqual(other.request.execution_id, refused.request.execution_id);
  assert.equal(again.request.execution_id, refused.request.execution_id);
});

test('any other rejection ends the execution with its reason', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });
  const id = await invoke(services.invocations, { nodes: ['pump-1'] });

  await agent.ack(await agent.nextOffer(), 'actions_disabled');
  const done = await services.invocations.whenDone('default', id, { ms: 5_000 });

  assert.equal(done?.status, 'failed');
  assert.equal(done.error, 'of 1: 1 rejected');
  assert.equal((await services.invocations.execution('default', id, 'pump-1'))?.reason, 'actions_disabled');
});

test('S-M-1: an ack duplicate_execution_id tells that the request had been accepted', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });
  const id = await invoke(services.invocations, { nodes: ['pump-1'] });

  await agent.ack(await agent.nextOffer(), 'duplicate_execution_id');

  await until(async () => (await services.invocations.execution('default', id, 'pump-1'))?.status === 'accepted', {
    what: 'accepted',
  });
});

test('S-M-4: what was not accepted in time expires, and a signed result still wins', async (t) => {
  const clock = createTestClock();
  const muster = await startTestCore(t, { clock });
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });
  const id = await invoke(services.invocations, { nodes: ['pump-1'] }, { expires_in: '1m' });
  const offered = await agent.nextOffer();

  clock.advance(62_000);
  assert.equal((await services.invocations.whenDone('default', id, { ms: 5_000 }))?.status, 'expired');
  await agent.result(offered);

  await until(async () => (await services.invocations.get('default', id))?.status === 'completed', {
    what: 'completed',
  });
});

test('a signed acceptance that came after the expiry opens the execution again', async (t) => {
  const clock = createTestClock();
  const muster = await startTestCore(t, { clock });
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });
  const id = await invoke(services.invocations, { nodes: ['pump-1'] }, { expires_in: '1m' });
  const offered = await agent.nextOffer();
  clock.advance(62_000);
  await services.invocations.whenDone('default', id, { ms: 5_000 });

  await agent.ack(offered);

  await until(async () => (await services.invocations.get('default', id))?.status === 'executing', {
    what: 'executing',
  });
});

test('S-M-8: an accepted execution whose result never comes ends as agent_lost, and a late result replaces that', async (t) => {
  let aheadMs = 0;
  const clock: Clock = { nowMs: SYSTEM_CLOCK.nowMs, monotonicMs: () => SYSTEM_CLOCK.monotonicMs() + aheadMs };
  const muster = await startTestCore(t, { clock });
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });
  const id = await invoke(services.invocations, { nodes: ['pump-1'] }, { timeout: '10s' });
  const offered = await agent.nextOffer();
  await agent.ack(offered);
  await until(async () => (await services.invocations.get('default', id))?.status === 'executing', {
    what: 'executing',
  });

  aheadMs = 71_000;
  assert.equal((await services.invocations.whenDone('default', id, { ms: 5_000 }))?.status, 'failed');
  const lost = await services.invocations.execution('default', id, 'pump-1');
  assert.deepEqual([lost?.status, lost?.error_code, lost?.provisional], ['error', 'agent_lost', true]);
  await agent.result(offered);

  await until(async () => (await services.invocations.get('default', id))?.status === 'completed', {
    what: 'completed',
  });
  const done = await services.invocations.execution('default', id, 'pump-1');
  assert.deepEqual([done?.status, done?.error_code, done?.provisional], ['success', null, false]);
});

test('a node that leaves offers unanswered for 30 s is marked unreachable, until it answers', async (t) => {
  let aheadMs = 0;
  const clock: Clock = {
    nowMs: () => SYSTEM_CLOCK.nowMs() + aheadMs,
    monotonicMs: () => SYSTEM_CLOCK.monotonicMs() + aheadMs,
  };
  const muster = await startTestCore(t, { clock });
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });
  const id = await invoke(services.invocations, { nodes: ['pump-1'] });
  const offered = await agent.nextOffer();
  const isUnreachable = async () => (await services.invocations.execution('default', id, 'pump-1'))?.unreachable;
  assert.equal(await isUnreachable(), false);

  aheadMs = 31_000;
  await until(isUnreachable, { what: 'unreachable' });
  await agent.ack(offered);

  await until(async () => !(await isUnreachable()), { what: 'reachable' });
});

async function goAway(services: Services, agent: ScriptedAgent): Promise<void> {
  await agent.goOffline();
  await until(async () => (await services.nodes.get('default', agent.node))?.state === 'offline', { what: 'offline' });
}
