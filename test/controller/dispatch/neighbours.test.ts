import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signEnvelope } from '../../../protocol/envelope.js';
import { invoke } from '../../support/asks.js';
import { startTestCore } from '../../support/core.js';
import { type AgentScript, type ScriptedAgent, startScriptedAgent } from '../../support/scripted-agent.js';
import { until } from '../../support/until.js';

const ASKS = 40;
const FLOOD = 3_000;

test('promise 15: a node that answers nothing and a node that floods do not keep the others from their work', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const start = (node: string, script: AgentScript = {}): Promise<ScriptedAgent> =>
    startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node, script });
  const frozen = await start('frozen');
  const hostile = await start('hostile');
  await start('lively', { runs: true });
  const ask = (node: string): Promise<string[]> =>
    Promise.all(Array.from({ length: ASKS }, () => invoke(services.invocations, { nodes: [node] })));
  const ofFrozen = await ask('frozen');
  await until(() => frozen.offers.length > 0, { what: 'the frozen node is offered its work' });
  const lie = signEnvelope('muster-result', '{"v":1}', hostile.keys.signing);

  const flood = Promise.all(
    Array.from({ length: FLOOD }, () => hostile.session.publish('result', { node: 'hostile' }, lie)),
  );
  for (const id of await ask('lively')) {
    const done = await services.invocations.whenDone('default', id, { ms: 10_000 });
    assert.equal(done?.status, 'completed');
  }

  for (const id of ofFrozen) assert.equal((await services.invocations.get('default', id))?.status, 'approved');
  await flood;
  await until(async () => (await services.metrics()).body.includes(`{code="payload_invalid"} ${FLOOD}\n`), {
    what: 'every lie is counted',
  });
});
