import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { firstBrokenAuditRow } from '../../controller/store/audit.js';
import { invoke } from '../support/asks.js';
import { startTestCore } from '../support/core.js';
import { type Offered, type ScriptedAgent, startScriptedAgent } from '../support/scripted-agent.js';
import { until } from '../support/until.js';

/** What the network may deliver about one execution, in any order and any number of times. */
const SAYINGS = {
  accepted: (agent: ScriptedAgent, offered: Offered) => agent.ack(offered),
  duplicate: (agent: ScriptedAgent, offered: Offered) => agent.ack(offered, 'duplicate_execution_id'),
  full: (agent: ScriptedAgent, offered: Offered) => agent.ack(offered, 'max_concurrent_reached'),
  rejected: (agent: ScriptedAgent, offered: Offered) => agent.ack(offered, 'actions_disabled'),
  hello: (agent: ScriptedAgent) => agent.hello(),
} as const;
type Saying = keyof typeof SAYINGS;

const saying = fc.constantFrom<Saying>('accepted', 'duplicate', 'full', 'rejected', 'hello');

test('whatever comes before and after it, in whatever order, the signed result is the outcome (promise 5)', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });

  await fc.assert(
    fc.asyncProperty(fc.array(saying, { maxLength: 5 }), fc.array(saying, { maxLength: 4 }), async (before, after) => {
      const reason = `${Math.random()}`;
      const id = await invoke(services.invocations, { nodes: ['pump-1'] }, { reason });
      const offered = await until(() => agent.offers.find(({ request }) => request.triggered_by?.reason === reason), {
        what: 'the offer',
      });

      for (const each of before) await SAYINGS[each](agent, offered);
      await agent.result(offered);
      for (const each of after) await SAYINGS[each](agent, offered);

      await until(async () => (await services.invocations.get('default', id))?.status === 'completed', {
        what: `completed after ${before.join()} result ${after.join()}`,
      });
      await agent.hello();
      const execution = await services.invocations.execution('default', id, 'pump-1');
      assert.deepEqual([execution?.status, execution?.provisional, execution?.error_code], ['success', false, null]);
      assert.equal((await services.nodes.get('default', 'pump-1'))?.open_executions, 0);
    }),
    { numRuns: 40 },
  );
  assert.equal(await firstBrokenAuditRow(muster.store.read), undefined);
});
