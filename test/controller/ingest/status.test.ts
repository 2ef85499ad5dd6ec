import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toTime } from '../../../runtime/clock.js';
import { startTestCore } from '../../support/core.js';
import { startScriptedAgent } from '../../support/scripted-agent.js';
import { until } from '../../support/until.js';

test('S-M-11: the Will of a connection that was taken over does not mark its successor offline', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });
  const state = async () => (await services.nodes.get('default', 'pump-1'))?.state;
  const say = (connection: number): Promise<void> =>
    agent.session.publish(
      'status',
      { node: 'pump-1' },
      JSON.stringify({
        ...{ v: 1, state: 'offline', reason: 'connection_lost', boot_id: agent.bootId, process_id: agent.processId },
        ...{ connection, since: toTime(Date.now()), agent_version: '0' },
      }),
    );
  agent.session.reconnect();
  await until(() => agent.session.connected && agent.session.connection === 2, { what: 'the second connection' });
  await agent.hello();

  await say(1);
  await until(async () => (await services.metrics()).body.includes('messages_refused_total{code="stale"} 1'), {
    what: 'the old Will is refused',
  });
  assert.equal(await state(), 'online');
  await say(2);

  await until(async () => (await state()) === 'offline', { what: 'offline by its own Will' });
});
