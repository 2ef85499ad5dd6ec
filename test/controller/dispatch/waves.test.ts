import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../../runtime/clock.js';
import { invoke } from '../../support/asks.js';
import { startTestCore } from '../../support/core.js';
import { startScriptedAgent } from '../../support/scripted-agent.js';
import { until } from '../../support/until.js';

test('while others of a broadcast answer, who has not is not offered it again; two seconds after the last is', async (t) => {
  const startMs = Date.now();
  let passedMs = 0;
  const clock: Clock = { nowMs: () => startMs + passedMs, monotonicMs: () => passedMs };
  const muster = await startTestCore(t, { clock });
  const { services } = muster.core;
  const { brokerUrl } = muster;
  const [quick, slow] = await Promise.all(
    ['a', 'b'].map((node) => startScriptedAgent(t, { services, brokerUrl, node })),
  );
  assert.ok(quick && slow);
  const id = await invoke(services.invocations, { fleet: true });
  const broadcast = await slow.nextOffer();

  passedMs += 1_500;
  await quick.ack(await quick.nextOffer());
  await until(async () => (await services.invocations.get('default', id))?.status === 'executing', { what: 'an ack' });
  passedMs += 1_500;
  await invoke(services.invocations, { nodes: ['b'] });
  const other = await slow.nextOffer();
  passedMs += 600;
  const again = await slow.nextOffer();

  assert.notEqual(other.sha256, broadcast.sha256); // whatever is due goes with an offer, the oldest first
  assert.deepEqual([broadcast.kind, again.kind], ['fleet_request', 'node_request']);
  assert.equal(again.sha256, broadcast.sha256);
});

test('a node that says hello is offered what it lacks of a broadcast at once, whoever else answers', async (t) => {
  const startMs = Date.now();
  const clock: Clock = { nowMs: () => startMs, monotonicMs: () => 0 };
  const muster = await startTestCore(t, { clock });
  const { services } = muster.core;
  const { brokerUrl } = muster;
  const [agent] = await Promise.all(['a', 'b'].map((node) => startScriptedAgent(t, { services, brokerUrl, node })));
  assert.ok(agent);
  await invoke(services.invocations, { fleet: true });
  const broadcast = await agent.nextOffer();

  await agent.hello();
  const again = await agent.nextOffer();

  assert.deepEqual([broadcast.kind, again.kind], ['fleet_request', 'node_request']);
  assert.equal(again.sha256, broadcast.sha256);
});
