import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CreateInvocation, InvocationView } from '../../../controller/http/schemas.js';
import { LimitReached } from '../../../controller/policy/limits.js';
import type { Principal } from '../../../controller/services.js';
import { type Clock, SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { askFor } from '../../support/asks.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER, startTestCore, type TestCore } from '../../support/core.js';
import { setPolicy } from '../../support/policies.js';
import { startScriptedAgent } from '../../support/scripted-agent.js';

const ANN: Principal = { id: 'ann', org: 'default', role: 'operator' };
const BOB: Principal = { ...ANN, id: 'bob' };
const BODY = { bodySha256: '1'.repeat(64) };
const ACTIONS = ['prime', 'gather_info'].map((name) => ({ name, description: '', parameters: [] }));
const YEAR_MS = 365 * 24 * 3_600_000;
const READ = { action: 'gather_info' };

test('promise 15: asks past the limit are refused until the first is a minute old, for each principal by itself', async (t) => {
  let nowMs = SYSTEM_CLOCK.nowMs();
  const clock = { ...SYSTEM_CLOCK, nowMs: () => nowMs };
  const muster = await startMuster(t, { clock });
  await setPolicy(muster, { limits: { asks_per_minute: 3 } });
  await ask(muster, READ);
  nowMs += 20_000;
  await ask(muster, READ);
  await ask(muster, READ);

  const error = await assertRejectsCode(ask(muster, READ), 'rate_limited');

  assert.equal(error instanceof LimitReached && error.retryAfterSeconds, 40);
  assert.equal((await ask(muster, READ, BOB)).status, 'approved');
  nowMs += 39_999;
  await assertRejectsCode(ask(muster, READ), 'rate_limited');
  nowMs += 1;
  assert.equal((await ask(muster, READ)).status, 'approved');
});

test('a restart forgives no ask', async (t) => {
  const muster = await startMuster(t);
  await setPolicy(muster, { limits: { asks_per_minute: 2 } });
  await ask(muster, READ);
  await ask(muster, READ);
  await muster.stop();
  await muster.start();

  await assertRejectsCode(ask(muster, READ), 'rate_limited');
});

test('of fifty asks at once no more than the limit are stored, and the same ask again does not count', async (t) => {
  const muster = await startMuster(t);
  const { create, list } = muster.core.services.invocations;
  await setPolicy(muster, { limits: { asks_per_minute: 5 } });

  const answers = await Promise.allSettled(Array.from({ length: 50 }, () => ask(muster, READ)));

  assert.equal(answers.filter(({ status }) => status === 'fulfilled').length, 5);
  assert.equal((await list('default', { limit: 100 })).items.length, 5);
  const again = () => create(BOB, asking(READ), { ...BODY, idempotencyKey: 'once' });
  for (let round = 0; round < 10; round += 1) assert.equal((await again()).replayed, round > 0);
});

test('an ask that began first and is stored last counts those that overtook it', async (t) => {
  let nowMs = SYSTEM_CLOCK.nowMs();
  const muster = await startMuster(t, { clock: { ...SYSTEM_CLOCK, nowMs: () => nowMs } });
  await setPolicy(muster, { limits: { asks_per_minute: 1 } });
  nowMs += 5;
  await ask(muster, READ);
  nowMs -= 5;

  await assertRejectsCode(ask(muster, READ), 'rate_limited');
});

test('a clock that was ahead for a while does not lock anybody out', async (t) => {
  let nowMs = SYSTEM_CLOCK.nowMs();
  const clock = { ...SYSTEM_CLOCK, nowMs: () => nowMs };
  const muster = await startMuster(t, { clock });
  await setPolicy(muster, { limits: { asks_per_minute: 1 } });
  nowMs += YEAR_MS;
  await ask(muster, READ);
  nowMs -= YEAR_MS;

  assert.equal((await ask(muster, READ)).status, 'approved');
  await assertRejectsCode(ask(muster, READ), 'rate_limited');
});

test('A-76, S-A-4: an eleventh ask that would wait is refused and not stored, also of fifty at once; reading goes on', async (t) => {
  const muster = await startMuster(t);
  const { invocations } = muster.core.services;

  const answers = await Promise.allSettled(Array.from({ length: 50 }, () => ask(muster)));

  assert.equal(answers.filter(({ status }) => status === 'fulfilled').length, 10);
  await assertRejectsCode(ask(muster), 'too_many_pending');
  assert.equal((await invocations.list('default', { limit: 100 })).items.length, 10);
  assert.equal((await ask(muster, READ)).status, 'approved');
  assert.equal((await ask(muster, {}, BOB)).status, 'pending');
});

test('the policy says how many asks may wait', async (t) => {
  const muster = await startMuster(t);
  await setPolicy(muster, { limits: { pending_per_principal: 1 } });
  await ask(muster);

  await assertRejectsCode(ask(muster), 'too_many_pending');
});

test('promise 2: fifty asks at once with one key get one answer, also at the very limit', async (t) => {
  const muster = await startMuster(t, { config: { max_open_per_node: 1 } });
  const { create } = muster.core.services.invocations;
  await setPolicy(muster, { limits: { pending_per_principal: 1, asks_per_minute: 2 } });

  for (const changes of [{}, READ]) {
    const request = { ...BODY, idempotencyKey: `key-${changes === READ}` };
    const answers = await Promise.all(Array.from({ length: 50 }, () => create(ANN, asking(changes), request)));
    assert.equal(new Set(answers.map(({ invocation }) => invocation.id)).size, 1);
    assert.equal(answers.filter(({ replayed }) => !replayed).length, 1);
  }
});

test('promise 15: no more executions are open on all nodes together than controller.max_open', async (t) => {
  const muster = await startMuster(t, { config: { max_open: 5 } });

  const answers = await Promise.allSettled(Array.from({ length: 20 }, () => ask(muster, READ)));

  assert.equal(answers.filter(({ status }) => status === 'fulfilled').length, 5);
  await assertRejectsCode(ask(muster, READ), 'too_many_open');
});

test('promise 15: no more executions are open on a node than the cap, also of fifty asks at once', async (t) => {
  const muster = await startMuster(t, { config: { max_open_per_node: 7 } });
  const { nodes } = muster.core.services;
  const open = async () => (await nodes.get('default', 'pump-1'))?.open_executions;

  const answers = await Promise.allSettled(Array.from({ length: 50 }, () => ask(muster, READ)));

  assert.equal(answers.filter(({ status }) => status === 'fulfilled').length, 7);
  assert.equal(await open(), 7);
  await setPolicy(muster, { limits: { open_per_node: 100 } });
  await assertRejectsCode(ask(muster, READ), 'too_many_open');
});

test('the policy lowers the cap of a node, and what is refused or fails holds no place', async (t) => {
  const muster = await startMuster(t);
  await setPolicy(muster, { limits: { open_per_node: 2 } });
  for (let round = 0; round < 5; round += 1) {
    await assertRejectsCode(ask(muster, { ...READ, digest: '0'.repeat(64) }), 'plan_changed');
  }
  await Promise.allSettled(Array.from({ length: 20 }, () => ask(muster, {}, ANN)));
  await ask(muster, READ);
  await ask(muster, READ);

  await assertRejectsCode(ask(muster, READ), 'too_many_open');
});

async function startMuster(
  t: TestScope,
  settings: { clock?: Clock; config?: Readonly<Record<string, unknown>> } = {},
): Promise<TestCore> {
  const muster = await startTestCore(t, settings);
  const { services } = muster.core;
  for (const id of ['ann', 'bob']) await services.people.createUser(OWNER, { id, role: 'operator' });
  const script = { actions: ACTIONS };
  await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1', script });
  return muster;
}

function asking(changes: Partial<CreateInvocation>): CreateInvocation {
  return askFor({ nodes: ['pump-1'] }, { action: 'prime', ...changes });
}

async function ask({ core }: TestCore, changes: Partial<CreateInvocation> = {}, by = ANN): Promise<InvocationView> {
  return (await core.services.invocations.create(by, asking(changes), BODY)).invocation;
}
