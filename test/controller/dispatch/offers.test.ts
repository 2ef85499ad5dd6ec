import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Clock, SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { invoke } from '../../support/asks.js';
import { startCoreWithNode } from '../../support/core-with-node.js';
import { createPassingClock, createTestClock } from '../../support/test-clock.js';
import { until } from '../../support/until.js';

test('what nobody acks is offered again, the same octets (promise 3)', async (t) => {
  const { agent, offer } = await startCoreWithNode(t);

  const { offered: first } = await offer();
  const second = await agent.nextOffer();

  assert.deepEqual(second, first);
});

test('an acked execution is offered no more, and a hello brings it as wanted', async (t) => {
  const { services, agent, offer, becomes } = await startCoreWithNode(t);
  const { id, offered } = await offer();

  await agent.ack(offered);
  await becomes(id, 'executing');
  const before = agent.offers.length;
  await agent.hello();

  const welcome = agent.controls.filter(({ kind }) => kind === 'welcome').at(-1);
  assert.deepEqual(welcome?.kind === 'welcome' ? welcome.wanted : undefined, [offered.request.execution_id]);
  assert.equal(agent.offers.length, before);
  assert.equal((await services.invocations.execution('default', id, 'pump-1'))?.status, 'accepted');
});

test('a node that was away gets its requests at its hello, oldest first, at most ten un-acked at a time', async (t) => {
  const { services, agent, goOffline } = await startCoreWithNode(t);
  await goOffline();
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
  const { services, agent, goOffline } = await startCoreWithNode(t, { clock });
  await goOffline();
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
  const { services, agent, offer, whenDone } = await startCoreWithNode(t);
  const { id: running, offered: first } = await offer();
  await agent.ack(first);
  const { id: waiting, offered: second } = await offer();

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
    const done = await whenDone(id);
    assert.equal(done?.status, 'completed');
  }
  assert.equal((await services.invocations.execution('default', waiting, 'pump-1'))?.reason, null);
});

test('what one action of a node is too busy for lets other work of the node pass, until something has ended', async (t) => {
  const { services, agent, offer } = await startCoreWithNode(t);
  const { offered: running } = await offer();
  await agent.ack(running);
  const { id: waiting, offered: refused } = await offer();
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
  const { services, agent, whenDone } = await startCoreWithNode(t);
  const id = await invoke(services.invocations, { nodes: ['pump-1'] });

  await agent.ack(await agent.nextOffer(), 'actions_disabled');
  const done = await whenDone(id);

  assert.equal(done?.status, 'failed');
  assert.equal(done.error, 'of 1: 1 rejected');
  assert.equal((await services.invocations.execution('default', id, 'pump-1'))?.reason, 'actions_disabled');
});

test('S-M-1: an ack duplicate_execution_id tells that the request had been accepted', async (t) => {
  const { services, agent } = await startCoreWithNode(t);
  const id = await invoke(services.invocations, { nodes: ['pump-1'] });

  await agent.ack(await agent.nextOffer(), 'duplicate_execution_id');

  await until(async () => (await services.invocations.execution('default', id, 'pump-1'))?.status === 'accepted', {
    what: 'accepted',
  });
});

test('S-M-4: what was not accepted in time expires, and a signed result still wins', async (t) => {
  const clock = createTestClock();
  const { agent, offer, becomes, whenDone } = await startCoreWithNode(t, { clock });
  const { id, offered } = await offer({ expires_in: '1m' });

  clock.advance(62_000);
  assert.equal((await whenDone(id))?.status, 'expired');
  await agent.result(offered);

  await becomes(id, 'completed');
});

test('a signed acceptance that came after the expiry opens the execution again', async (t) => {
  const clock = createTestClock();
  const { agent, offer, becomes, whenDone } = await startCoreWithNode(t, { clock });
  const { id, offered } = await offer({ expires_in: '1m' });
  clock.advance(62_000);
  await whenDone(id);

  await agent.ack(offered);

  await becomes(id, 'executing');
});

test('S-M-8: an accepted execution whose result never comes ends as agent_lost, and a late result replaces that', async (t) => {
  let aheadMs = 0;
  const clock: Clock = { nowMs: SYSTEM_CLOCK.nowMs, monotonicMs: () => SYSTEM_CLOCK.monotonicMs() + aheadMs };
  const { services, agent, offer, becomes, whenDone } = await startCoreWithNode(t, { clock });
  const { id, offered } = await offer({ timeout: '10s' });
  await agent.ack(offered);
  await becomes(id, 'executing');

  aheadMs = 71_000;
  assert.equal((await whenDone(id))?.status, 'failed');
  const lost = await services.invocations.execution('default', id, 'pump-1');
  assert.deepEqual([lost?.status, lost?.error_code, lost?.provisional], ['error', 'agent_lost', true]);
  await agent.result(offered);

  await becomes(id, 'completed');
  const done = await services.invocations.execution('default', id, 'pump-1');
  assert.deepEqual([done?.status, done?.error_code, done?.provisional], ['success', null, false]);
});

test('a node that leaves offers unanswered for 30 s is marked unreachable, until it answers', async (t) => {
  let aheadMs = 0;
  const clock: Clock = {
    nowMs: () => SYSTEM_CLOCK.nowMs() + aheadMs,
    monotonicMs: () => SYSTEM_CLOCK.monotonicMs() + aheadMs,
  };
  const { services, agent, offer } = await startCoreWithNode(t, { clock });
  const { id, offered } = await offer();
  const isUnreachable = async () => (await services.invocations.execution('default', id, 'pump-1'))?.unreachable;
  assert.equal(await isUnreachable(), false);

  aheadMs = 31_000;
  await until(isUnreachable, { what: 'unreachable' });
  await agent.ack(offered);

  await until(async () => !(await isUnreachable()), { what: 'reachable' });
});

test('a node that comes back is not unreachable for the time that it was away', async (t) => {
  const clock = createPassingClock();
  const { services, agent, offer, goOffline } = await startCoreWithNode(t, { clock });
  const { id } = await offer();
  const isUnreachable = async () => (await services.invocations.execution('default', id, 'pump-1'))?.unreachable;
  await goOffline();
  clock.advance(31_000);

  await agent.hello();
  await agent.nextOffer();
  await agent.nextOffer(); // a tick after the hello at the earliest, with the back-off

  assert.equal(await isUnreachable(), false);
});

test('a hello on the same connection answers no offer; one on a new connection, and a passing rejection, begin anew', async (t) => {
  const clock = createPassingClock();
  const { services, agent, offer } = await startCoreWithNode(t, { clock });
  const { id, offered } = await offer();
  const isUnreachable = async () => (await services.invocations.execution('default', id, 'pump-1'))?.unreachable;
  const becomes = (wanted: boolean) =>
    until(async () => (await isUnreachable()) === wanted, { what: `unreachable: ${wanted}` });
  clock.advance(31_000);
  await becomes(true);

  await agent.hello();
  await agent.nextOffer();
  assert.equal(await isUnreachable(), true);
  await agent.hello({ connection: 99 });
  await becomes(false);

  clock.advance(31_000);
  await becomes(true);
  await agent.ack(offered, 'max_concurrent_reached');
  await becomes(false);
});
