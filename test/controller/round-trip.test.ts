import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstBrokenAuditRow } from '../../controller/store/audit.js';
import { OWNER, startTestCore } from '../support/core.js';
import { startScriptedAgent } from '../support/scripted-agent.js';
import { until } from '../support/until.js';

const BODY = { bodySha256: '0'.repeat(64) };

test('an ask for one node is offered, accepted, answered and receipted', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });

  const { invocation } = await services.invocations.create(OWNER, ask({ nodes: ['pump-1'] }), BODY);
  const offered = await agent.nextOffer();
  await agent.ack(offered);
  await agent.result(offered);
  const done = await services.invocations.whenDone('default', invocation.id, { ms: 5_000 });

  assert.equal(done?.status, 'completed');
  assert.equal(done.counts.success, 1);
  const execution = await services.invocations.execution('default', invocation.id, 'pump-1');
  assert.equal(execution?.stdout, 'done\n');
  assert.equal(execution.request_sha256, offered.sha256);
  await until(() => agent.receipted().includes(offered.request.execution_id), { what: 'the receipt' });
  assert.equal(await firstBrokenAuditRow(muster.store.read), undefined);
});

function ask(target: { nodes: string[] }) {
  return { action: 'ping', target, parameters: {}, stream: false, confirm: false };
}
