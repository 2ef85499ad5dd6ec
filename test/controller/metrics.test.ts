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

test('metrics tell how many asks a grant approved, and how many grants may still approve some', async (t) => {
  const { core, brokerUrl } = await startTestCore(t);
  const { services } = core;
  const script = { actions: [{ ...PING, name: 'flush' }] };
  await startScriptedAgent(t, { services, brokerUrl, node: 'pump-1', script });
  await services.people.createUser(OWNER, { id: OWNER.id, role: 'owner' });
  await services.people.createUser(OWNER, { id: 'ann', role: 'operator' });
  for (const max_calls of [1, null]) {
    const terms = { max_calls, expires_in: max_calls === 1 ? '1h' : '2h' };
    await services.grants.create(OWNER, { scope: 'org', target: { fleet: true }, actions: ['flush'], ...terms });
  }
  const told = async () => {
    const { body } = await services.metrics();
    return ['grant_uses_total', 'grants_active'].map(
      (name) => new RegExp(`^muster_controller_${name} (.*)$`, 'm').exec(body)?.[1],
    );
  };
  const before = await told();

  const ann = { id: 'ann', org: 'default', role: 'operator' } as const;
  const ask = askFor({ nodes: ['pump-1'] }, { action: 'flush' });
  await services.invocations.create(ann, ask, { bodySha256: '0'.repeat(64) });

  assert.deepEqual(
    [before, await told()],
    [
      ['0', '2'],
      ['1', '1'],
    ],
  );
});
