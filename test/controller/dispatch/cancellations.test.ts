import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBrokerLink } from '../../../controller/broker-link.js';
import { createCancellations } from '../../../controller/dispatch/cancellations.js';
import { createControls } from '../../../controller/dispatch/controls.js';
import { loadOpenExecutions } from '../../../controller/dispatch/load-open.js';
import type { OpenExecution } from '../../../controller/dispatch/open-executions.js';
import { createPresence } from '../../../controller/nodes/presence.js';
import { loadRegistry } from '../../../controller/nodes/registry.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { invoke } from '../../support/asks.js';
import { startTestCore } from '../../support/core.js';
import { startScriptedAgent } from '../../support/scripted-agent.js';

test('what a node that comes back is told of, and what it answers, costs nothing for what is cancelled elsewhere', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  for (const node of ['a', 'b']) await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node });
  await invoke(services.invocations, { nodes: ['a', 'b'] });
  const log = createLogger('controller', { level: 'silent' });
  const open = await loadOpenExecutions(muster.store, SYSTEM_CLOCK);
  const presence = createPresence();
  const clock = SYSTEM_CLOCK;
  const { keyring } = muster;
  const controls = createControls({ link: createBrokerLink(() => true), keyring, clock, org: 'default', log });
  const [here, elsewhere] = [...open.all()].sort((one, other) => (one.node < other.node ? -1 : 1));
  assert.ok(here !== undefined && elsewhere !== undefined);
  here.cancelling = true;
  elsewhere.cancelling = true;
  const looks = countLooksAt(elsewhere);
  const registry = await loadRegistry(muster.store, 'default');
  const cancellations = createCancellations({ open, registry, presence, controls, clock, random: () => 0.5 });
  presence.connected('a', 0);
  looks.count = 0;

  cancellations.welcomed('a');
  cancellations.tick();
  const answered = cancellations.answeredBy('a', { controlId: 'another', sha256: '' });

  assert.equal(answered, undefined);
  assert.equal(looks.count, 0);
});

/** Counts how often anybody asks on which node it is, or which it is. */
function countLooksAt(execution: OpenExecution): { count: number } {
  const looks = { count: 0 };
  for (const name of ['node', 'executionId'] as const) {
    const value = execution[name];
    Object.defineProperty(execution, name, {
      get: () => {
        looks.count += 1;
        return value;
      },
    });
  }
  return looks;
}
