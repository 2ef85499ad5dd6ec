import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstBrokenAuditRow } from '../../../controller/store/audit.js';
import type { Violation } from '../../../protocol/messages/result.js';
import { invoke } from '../../support/asks.js';
import { auditRows } from '../../support/audit-rows.js';
import { startTestCore } from '../../support/core.js';
import { startScriptedAgent } from '../../support/scripted-agent.js';
import { until } from '../../support/until.js';

const VIOLATION: Violation = {
  type: 'hook',
  path: '/etc/muster/hooks/deploy',
  expected: 'a'.repeat(64),
  actual: 'b'.repeat(64),
  detail: 'The SHA-256 of deploy is another.',
  timestamp: '2026-11-21T10:00:00.000Z',
};

test('S-P-43: a violation in a result is audited with it, once however often it comes, counted and shown', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });
  const id = await invoke(services.invocations, { nodes: ['pump-1'] });
  const offered = await agent.nextOffer();
  const failure = { status: 'error', exit_code: -1, error_code: 'integrity_check_failed', error: 'no' } as const;
  const result = agent.resultOf(offered, { ...failure, violation: VIOLATION });

  for (const times of [1, 2]) {
    await agent.say('result', 'muster-result', result);
    await until(() => agent.receipted().length === times, { what: 'the receipt' });
  }

  assert.deepEqual(await auditRows(muster.store, 'hook_integrity_violation'), [
    {
      actor: 'node:pump-1',
      subject: `execution:${offered.request.execution_id}/pump-1`,
      details: { ...VIOLATION },
    },
  ]);
  assert.equal(await firstBrokenAuditRow(muster.store.read), undefined);
  const { body } = await services.metrics();
  assert.match(body, /^muster_controller_hook_violations_total 1$/m);
  assert.deepEqual((await services.invocations.execution('default', id, 'pump-1'))?.violation, VIOLATION);
});

test('a result whose violation does not fit its schema is not believed', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });
  const id = await invoke(services.invocations, { nodes: ['pump-1'] });
  const offered = await agent.nextOffer();

  await agent.say('result', 'muster-result', { ...agent.resultOf(offered), violation: { path: 7 } });
  await agent.result(offered);
  await services.invocations.whenDone('default', id, { ms: 5_000 });

  assert.equal((await services.invocations.execution('default', id, 'pump-1'))?.violation, null);
  assert.deepEqual(await auditRows(muster.store, 'hook_integrity_violation'), []);
});
