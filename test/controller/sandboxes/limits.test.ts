import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CreateInvocation } from '../../../controller/http/schemas.js';
import { LimitReached } from '../../../controller/policy/limits.js';
import type { Principal } from '../../../controller/services.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { askFor } from '../../support/asks.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import type { TestScope } from '../../support/broker.js';
import { startTestCore, type TestCore } from '../../support/core.js';
import { setPolicy } from '../../support/policies.js';
import { makeSandbox } from '../../support/sandboxes.js';
import { startScriptedAgent } from '../../support/scripted-agent.js';

const BODY = { bodySha256: '1'.repeat(64) };
const ACTIONS = ['gather_info', 'prime'].map((name) => ({ name, description: '', parameters: [] }));

test('A-75, A-77, C-33: a sandbox asks 60 times in any minute and no more, also of a hundred at once, after a restart, and whatever the policy allows', async (t) => {
  let nowMs = SYSTEM_CLOCK.nowMs();
  const clock = { ...SYSTEM_CLOCK, nowMs: () => nowMs };
  const muster = await startMuster(t, clock);
  await setPolicy(muster, { limits: { asks_per_minute: 1000 } });
  const { principal } = await makeSandbox(muster, 'ci');
  const other = await makeSandbox(muster, 'other');

  const answers = await Promise.allSettled(Array.from({ length: 100 }, () => ask(muster, principal)));
  await muster.stop();
  await muster.start();
  nowMs += 59_999;
  const error = await assertRejectsCode(ask(muster, principal), 'rate_limited');
  await assertRejectsCode(ask(muster, principal, { action: 'unheard_of' }), 'rate_limited');

  assert.equal(answers.filter(({ status }) => status === 'fulfilled').length, 60);
  assert.equal(error instanceof LimitReached && error.retryAfterSeconds, 1);
  assert.equal((await ask(muster, other.principal)).invocation.status, 'approved', 'each by itself');
  nowMs += 1;
  assert.equal((await ask(muster, principal)).invocation.status, 'approved');
});

test('a policy may give a sandbox less', async (t) => {
  const muster = await startMuster(t);
  await setPolicy(muster, { limits: { asks_per_minute: 2 } });
  const { principal } = await makeSandbox(muster, 'ci');
  await ask(muster, principal);
  await ask(muster, principal);

  await assertRejectsCode(ask(muster, principal), 'rate_limited');
});

test('A-76, S-A-4: ten asks of a sandbox wait for a person at most, whatever the policy allows; no row is made for more, and reading goes on', async (t) => {
  const muster = await startMuster(t);
  await setPolicy(muster, { limits: { pending_per_principal: 100 } });
  const { principal } = await makeSandbox(muster, 'ci');
  const { invocations } = muster.core.services;

  const answers = await Promise.allSettled(
    Array.from({ length: 30 }, () => ask(muster, principal, { action: 'prime' })),
  );
  await assertRejectsCode(ask(muster, principal, { action: 'prime' }), 'too_many_pending');

  assert.equal(answers.filter(({ status }) => status === 'fulfilled').length, 10);
  assert.equal((await invocations.list('default', { limit: 100 })).items.length, 10);
  assert.equal((await ask(muster, principal)).invocation.status, 'approved');
});

test('a sandbox that calls more than 600 times a minute, for whatever it may be, is told to come back later', async (t) => {
  const muster = await startTestCore(t);
  const { authenticate } = muster.core.services;
  const { token } = await makeSandbox(muster, 'ci');
  const other = await makeSandbox(muster, 'other');

  for (let count = 1; count < 600; count += 1) await authenticate(token);

  await assertRejectsCode(authenticate(token), 'rate_limited');
  assert.equal((await authenticate(other.token))?.id, other.principal.id);
});

function ask({ core }: TestCore, principal: Principal, changes: Partial<CreateInvocation> = {}) {
  const wanted = askFor({ nodes: ['pump-1'] }, { action: 'gather_info', ...changes });
  return core.services.invocations.create(principal, wanted, BODY);
}

async function startMuster(t: TestScope, clock = SYSTEM_CLOCK): Promise<TestCore> {
  const muster = await startTestCore(t, { clock });
  const { services } = muster.core;
  const script = { actions: ACTIONS };
  await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1', script });
  return muster;
}
