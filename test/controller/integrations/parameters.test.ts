import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestScope } from '../../support/broker.js';
import { startIntegrations } from '../../support/integrations.js';
import { setPolicy } from '../../support/policies.js';
import { makeSandbox } from '../../support/sandboxes.js';
import { startScriptedAgent } from '../../support/scripted-agent.js';
import { startStandIn } from '../../support/stand-in.js';

const ISSUE = { team: 't1', title: 'The pump is loud' };
const LISTS = ['invocations', 'approvals', 'invocations?status=pending'];

test('parameters past the limits of an ask are refused whatever the way, so that every record can be read', async (t) => {
  const { stage, invoke, linear } = await startSandboxed(t);
  const tooLong = { ...ISSUE, description: '\u6c34'.repeat(30_000) };

  for (const risk of ['write', 'read']) {
    await setPolicy(stage.muster, { risks: [{ actions: ['linear/*'], kind: 'integration', risk }] });
    const { status, body } = await invoke(tooLong);
    assert.deepEqual(
      [status, Object(body).error],
      [400, 'Invalid params: create_issue: the parameters: at most 64 KiB in all'],
    );
  }
  for (const list of LISTS) {
    const { status, body } = await stage.call('GET', `/api/v1/${list}`, { token: stage.people.viewer });
    assert.deepEqual([status, Object(body).items], [200, []]);
  }
  assert.equal(linear.requests.length, 0);
  assert.equal((await invoke({ ...ISSUE, description: 'short' })).status, 200);
});

test('parameters that are longer once secrets are taken out of them are shown all the same', async (t) => {
  const { stage } = await startSandboxed(t);
  const { core, brokerUrl } = stage.muster;
  const text = (name: string) => ({ name, type: 'string', required: false, description: '' }) as const;
  const script = { actions: [{ name: 'prime', description: '', parameters: [text('token'), text('note')] }] };
  await startScriptedAgent(t, { services: core.services, brokerUrl, node: 'pump-9', script });
  const body = { action: 'prime', target: { nodes: ['pump-9'] }, parameters: { token: 'a', note: 'x'.repeat(65_510) } };

  const { status } = await stage.call('POST', '/api/v1/invocations', { token: stage.people.operator, body });

  assert.equal(status, 202);
  for (const list of LISTS) {
    const answer = await stage.call('GET', `/api/v1/${list}`, { token: stage.people.viewer });
    assert.equal(answer.status, 200, list);
    assert.equal(Object(answer.body).items[0].parameters.token, '[redacted]');
  }
});

/** A sandbox that is connected to linear, and its way to ask. */
async function startSandboxed(t: TestScope) {
  const linear = await startStandIn(t, () => ({ json: { data: { issueCreate: { success: true, issue: {} } } } }));
  const stage = await startIntegrations(t);
  await stage.add('linear', linear.url);
  const { id, token } = await makeSandbox(stage.muster, 'ai', [{ integration: 'linear', actions: ['*'] }]);
  const invoke = (params: object) =>
    stage.call('POST', `/${id}/actions/invoke`, {
      token,
      body: { integration: 'linear', action: 'create_issue', params },
    });
  return { stage, invoke, linear };
}
