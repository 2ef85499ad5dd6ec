import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conclude } from '../../../controller/dispatch/conclude.js';
import { loadOpenExecutions } from '../../../controller/dispatch/load-open.js';
import { createMarks } from '../../../controller/dispatch/marks.js';
import { createInvocationEvents } from '../../../controller/events/invocation-events.js';
import { createControllerMetrics } from '../../../controller/metrics.js';
import { findExecution, moveExecutions } from '../../../controller/store/executions.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { invoke } from '../../support/asks.js';
import type { TestScope } from '../../support/broker.js';
import { startTestCore } from '../../support/core.js';
import { startScriptedAgent } from '../../support/scripted-agent.js';
import { until } from '../../support/until.js';

test('what ended in the same commit is not concluded a second time', async (t) => {
  const { store, deps, ended, silent } = await startPair(t);
  const { open, metrics } = deps;

  // Asked in one turn of the event loop, both share a commit.
  await Promise.all([
    store.write((tx) => moveExecutions(tx, [ended], { from: ['queued'], set: { status: 'success', open: 0 } })),
    conclude(deps, [ended, silent], { status: 'expired' }),
  ]);

  assert.equal((await findExecution(store.read, ended))?.status, 'success');
  assert.equal((await findExecution(store.read, silent))?.status, 'expired');
  const audit = await store.read
    .selectFrom('audit')
    .select('subject')
    .where('event', '=', 'execution_concluded')
    .execute();
  assert.deepEqual(audit, [{ subject: `execution:${silent.executionId}/pump-1` }]);
  assert.match((await metrics.render()).body, /executions_ended_total\{status="expired"\} 1\n/);
  assert.deepEqual([...open.all()], [ended]);
});

test('what a node that polls has accepted in the very commit of its expiry does not expire', async (t) => {
  const { store, deps, ended: accepted, silent } = await startPair(t);

  // Asked in one turn of the event loop, both share a commit.
  await Promise.all([
    store.write((tx) => moveExecutions(tx, [accepted], { from: ['queued'], set: { status: 'accepted' } })),
    conclude(deps, [accepted, silent], { status: 'expired' }),
  ]);

  assert.equal((await findExecution(store.read, accepted))?.status, 'accepted');
  assert.equal((await findExecution(store.read, silent))?.status, 'expired');
  assert.deepEqual([...deps.open.all()], [accepted]);
});

/** Two executions that wait for a node which is away, and what they are concluded with. */
async function startPair(t: TestScope) {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });
  await agent.goOffline();
  await until(async () => (await services.nodes.get('default', 'pump-1'))?.state === 'offline', { what: 'offline' });
  await invoke(services.invocations, { nodes: ['pump-1'] });
  await invoke(services.invocations, { nodes: ['pump-1'] });
  const { store } = muster;
  const open = await loadOpenExecutions(store, SYSTEM_CLOCK);
  const [ended, silent] = [...open.all()];
  assert.ok(ended !== undefined && silent !== undefined);
  const metrics = createControllerMetrics({
    openByStatus: open.countByState,
    nodes: () => ({ online: 0, offline: 1 }),
    brokerConnected: () => true,
    suspended: () => false,
    approvalsPending: async () => 0,
    grantsActive: async () => 0,
  });
  const log = createLogger('controller', { level: 'silent' });
  const marks = createMarks({ store, clock: SYSTEM_CLOCK, log });
  t.after(marks.stop);
  const deps = { store, open, marks, metrics, events: createInvocationEvents(), clock: SYSTEM_CLOCK, org: 'default' };
  return { store, deps, ended, silent };
}
