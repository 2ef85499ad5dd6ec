import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstBrokenAuditRow } from '../../controller/store/audit.js';
import { type Clock, SYSTEM_CLOCK } from '../../runtime/clock.js';
import { invoke } from '../support/asks.js';
import { startCoreWithNode } from '../support/core-with-node.js';
import { createTestClock } from '../support/test-clock.js';
import { until } from '../support/until.js';

test('open work survives a restart of the controller, in whatever state it was (promises 1, 3 and 5)', async (t) => {
  const { muster, services, agent, offer, goOffline } = await startCoreWithNode(t);
  const { id: accepted, offered: running } = await offer();
  await agent.ack(running);
  const { id: sent, offered: unanswered } = await offer();
  await goOffline();
  const queued = await invoke(services.invocations, { nodes: ['pump-1'] });

  await muster.stop();
  await muster.start();
  await agent.hello({ running: [running.request.execution_id] });
  await agent.result(running);
  const again = await agent.nextOffer();
  const first = await agent.nextOffer();
  await agent.result(again);
  await agent.result(first);

  assert.equal(again.sha256, unanswered.sha256);
  for (const id of [accepted, sent, queued]) {
    const done = await muster.core.services.invocations.whenDone('default', id, { ms: 5_000 });
    assert.equal(done?.status, 'completed');
  }
  assert.equal(await firstBrokenAuditRow(muster.store.read), undefined);
});

test('the controller that comes back asks nodes with open work to say hello', async (t) => {
  const { muster, agent, offer } = await startCoreWithNode(t);
  await offer();
  const announces = (): number => agent.controls.filter(({ kind }) => kind === 'announce').length;
  const before = announces();

  await muster.stop();
  await muster.start();

  await until(() => announces() > before, { what: 'an announce' });
});

test('a node with open work that does not answer is asked again: the broker may have lost the ask', async (t) => {
  let aheadMs = 0;
  const clock: Clock = { nowMs: SYSTEM_CLOCK.nowMs, monotonicMs: () => SYSTEM_CLOCK.monotonicMs() + aheadMs };
  const { muster, agent } = await startCoreWithNode(t, { clock });
  const announces = (): number => agent.controls.filter(({ kind }) => kind === 'announce').length;
  await muster.stop();
  await muster.start();
  await until(() => announces() > 0, { what: 'the first announce' });
  await invoke(muster.core.services.invocations, { nodes: ['pump-1'] });

  for (const waitMs of [13_000, 25_000]) {
    const before = announces();
    aheadMs += waitMs;
    await until(() => announces() > before, { what: 'another announce' });
  }
  await agent.hello();

  assert.equal((await agent.nextOffer()).request.action, 'ping');
});

test('S-M-10: a result that came while the controller was away is stored when its node sends it again', async (t) => {
  const { muster, agent, offer } = await startCoreWithNode(t);
  const { id, offered } = await offer();
  await agent.ack(offered);

  await muster.stop();
  await agent.result(offered);
  await muster.start();
  const { execution_id: executionId } = offered.request;
  await agent.hello({ unreceipted: [executionId], unreceipted_count: 1 });
  assert.deepEqual(agent.receipted(), []);
  await agent.result(offered);
  await until(() => agent.receipted().length === 1, { what: 'the receipt' });

  assert.equal((await muster.core.services.invocations.get('default', id))?.status, 'completed');
});

test('what expired while the controller was away is ended when it comes back', async (t) => {
  const clock = createTestClock();
  const { muster, services } = await startCoreWithNode(t, { clock });
  const id = await invoke(services.invocations, { nodes: ['pump-1'] }, { expires_in: '1m' });

  await muster.stop();
  clock.advance(3600 * 1000);
  await muster.start();

  assert.equal((await muster.core.services.invocations.whenDone('default', id, { ms: 5_000 }))?.status, 'expired');
});

test('nodes, their groups, actions and hook pins are known again after a restart', async (t) => {
  const script = { groups: ['pumps'], labels: { site: 'north' }, hooks: [] };
  const { muster, services } = await startCoreWithNode(t, { script });
  const before = await services.nodes.get('default', 'pump-1');

  await muster.stop();
  await muster.start();
  const after = await muster.core.services.nodes.get('default', 'pump-1');

  assert.deepEqual({ ...after, state: '', last_seen: '' }, { ...before, state: '', last_seen: '' });
  assert.deepEqual(await muster.core.services.nodes.groups('default'), [{ group: 'pumps', nodes: 1 }]);
  const [ping] = await muster.core.services.nodes.actions('default');
  assert.deepEqual([ping?.name, ping?.risk, ping?.nodes], ['ping', 'read', ['pump-1']]);
});
