import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClockWatch } from '../../../controller/dispatch/clock-watch.js';
import { invoke } from '../../support/asks.js';
import { startTestCore } from '../../support/core.js';
import { startScriptedAgent } from '../../support/scripted-agent.js';
import { createTestClock } from '../../support/test-clock.js';
import { until } from '../../support/until.js';

test('a clock that is set is noticed once, one that drifts slowly is not until it is five seconds off', () => {
  const clock = createTestClock();
  const jumps: number[] = [];
  const watch = createClockWatch(clock, (byMs) => jumps.push(Math.round(byMs / 1000)));

  watch.tick();
  clock.advance(3_000);
  watch.tick();
  clock.advance(3_000);
  watch.tick();
  watch.tick();
  clock.advance(-600_000);
  watch.tick();
  watch.tick();

  assert.deepEqual(jumps, [6, -600]);
});

test('S-M-18: when the controller’s clock is set, nodes are asked for a hello and offered nothing before it', async (t) => {
  const clock = createTestClock();
  const muster = await startTestCore(t, { clock });
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });

  clock.advance(-120_000);
  await until(() => agent.controls.some(({ kind }) => kind === 'announce'), { what: 'an announce' });
  await invoke(services.invocations, { nodes: ['pump-1'] });
  assert.equal(agent.offers.length, 0);
  await agent.hello();

  const { request } = await agent.nextOffer();
  assert.ok(Date.parse(request.issued_at) < Date.now() - 60_000);
  const welcome = agent.controls.findLast(({ kind }) => kind === 'welcome');
  assert.ok(welcome?.kind === 'welcome' && Date.parse(welcome.now) < Date.now() - 60_000);
});
