import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askFor } from '../support/asks.js';
import { assertRejectsCode } from '../support/assert-code.js';
import { OWNER, startTestCore } from '../support/core.js';
import { PING, startScriptedAgent } from '../support/scripted-agent.js';

test('metrics tell how many asks wait for a person, and how many logins were refused', async (t) => {
  const { core, brokerUrl } = await startTestCore(t);
  const { services } = core;
  await startScriptedAgent(t, {
    services,
    brokerUrl,
    node: 'pump-1',
    script: { actions: [{ ...PING, name: 'flush' }] },
  });
  await services.people.createUser(OWNER, { id: 'ann', role: 'operator' });

  const ann = { id: 'ann', org: 'default', role: 'operator' } as const;
  const ask = askFor({ nodes: ['pump-1'] }, { action: 'flush' });
  const { invocation } = await services.invocations.create(ann, ask, { bodySha256: '0'.repeat(64) });
  await assertRejectsCode(services.tokens.login('default', { user: 'ann', password: 'wrong' }), 'unauthenticated');

  assert.equal(invocation.status, 'pending');
  const { body } = await services.metrics();
  assert.match(body, /^muster_controller_approvals_pending 1$/m);
  assert.match(body, /^muster_controller_logins_refused_total 1$/m);
});
