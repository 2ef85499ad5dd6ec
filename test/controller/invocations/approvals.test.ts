import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InvocationView } from '../../../controller/http/schemas.js';
import type { PeopleService } from '../../../controller/identity/people-service.js';
import type { Principal } from '../../../controller/services.js';
import { firstBrokenAuditRow } from '../../../controller/store/audit.js';
import { isMusterError } from '../../../protocol/errors.js';
import { askFor } from '../../support/asks.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { auditRows } from '../../support/audit-rows.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER, startTestCore, type TestCore } from '../../support/core.js';
import { type ScriptedAgent, startScriptedAgent } from '../../support/scripted-agent.js';
import { createTestClock, type TestClock } from '../../support/test-clock.js';
import { until } from '../../support/until.js';

const ANN: Principal = { id: 'ann', org: 'default', role: 'operator' };
const ADA: Principal = { id: 'ada', org: 'default', role: 'admin' };
const BODY = { bodySha256: '1'.repeat(64) };
const WRITE = { name: 'prime', description: 'changes something', parameters: [] };
const HOOK = {
  ...{ name: 'flush', description: 'a hook', parameters: [], source: 'local', checksum: 'a'.repeat(64) },
  ...{ sandbox: 'bubblewrap', network: false, writable: [] },
};
const FIVE_MINUTES_MS = 5 * 60_000;

test('a write of an operator waits five minutes for a person, and nothing is offered meanwhile (A-4, A-27)', async (t) => {
  const { muster, agent } = await startPair(t);
  const invocation = await ask(muster);

  assert.equal(invocation.status, 'pending');
  assert.equal(Date.parse(invocation.expires_at) - Date.parse(invocation.created_at), FIVE_MINUTES_MS);
  const { items } = await muster.core.services.invocations.pending('default', { limit: 10 });
  assert.deepEqual(
    items.map(({ id, nodes }) => [id, nodes]),
    [[invocation.id, 1]],
  );
  assert.equal(agent.offers.length, 0);
});

test('what an admin approves runs once, and says who approved it and when (A-10, A-104)', async (t) => {
  const { muster, agent } = await startPair(t, { runs: true });
  const { invocations } = muster.core.services;
  const { id, digest } = await ask(muster);

  const approved = await invocations.approve(ADA, id, { digest });
  const done = await invocations.whenDone('default', id, { ms: 10_000 });

  assert.equal(approved?.approved_by, 'ada');
  assert.ok(approved.approved_at !== null);
  assert.equal(Date.parse(approved.expires_at) - Date.parse(approved.approved_at), 24 * 3_600_000);
  assert.equal(done?.status, 'completed');
  assert.equal(agent.offers.length, 1);
  assert.equal(agent.offers[0]?.request.triggered_by?.id, 'ann');
  assert.deepEqual((await invocations.pending('default', { limit: 10 })).items, []);
  assert.equal(await firstBrokenAuditRow(muster.store.read), undefined);
});

test('what is denied never runs, and says who denied it and why (A-38, A-24)', async (t) => {
  const { muster, agent } = await startPair(t);
  const { invocations } = muster.core.services;
  const { id, digest } = await ask(muster);
  const waited = invocations.whenDone('default', id, { ms: 10_000 });

  await invocations.deny(ADA, id, { reason: 'not on a Friday' });

  const denied = await waited;
  assert.deepEqual([denied?.status, denied?.approved_by, denied?.error], ['denied', 'ada', 'not on a Friday']);
  assert.notEqual(denied?.completed_at, null);
  await assertRejectsCode(invocations.approve(ADA, id, { digest }), 'conflict');
  assert.equal(agent.offers.length, 0);
});

test('of fifty who approve and deny at once one decides (promise 19)', async (t) => {
  const { muster, agent } = await startPair(t, { runs: true });
  const { invocations } = muster.core.services;
  for (let round = 0; round < 5; round += 1) {
    const { id, digest } = await ask(muster);
    const before = agent.offers.length;

    const answers = await Promise.allSettled(
      Array.from({ length: 50 }, (_, index) =>
        index % 2 === 0 ? invocations.approve(ADA, id, { digest }) : invocations.deny(ADA, id, {}),
      ),
    );
    const done = await invocations.whenDone('default', id, { ms: 10_000 });

    const lost = answers.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
    assert.equal(lost.length, 49);
    assert.ok(lost.every((reason: unknown) => isMusterError(reason, 'conflict')));
    assert.ok(done?.status === 'completed' || done?.status === 'denied');
    assert.equal(agent.offers.length - before, done.status === 'completed' ? 1 : 0);
  }
});

test('an approval is for what was shown: another digest, another hook or another node is a conflict', async (t) => {
  const { muster, agent } = await startPair(t);
  const { invocations } = muster.core.services;
  const { id, digest } = await ask(muster, { fleet: true });

  await assertRejectsCode(invocations.approve(ADA, id, { digest: '0'.repeat(64) }), 'conflict');
  const { services } = muster.core;
  await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-2', script: { actions: [WRITE] } });
  await assertRejectsCode(invocations.approve(ADA, id, { digest }), 'conflict');

  assert.equal((await invocations.get('default', id))?.status, 'pending');
  assert.equal(agent.offers.length, 0);
});

test('an approval is for the sandbox that was shown: a hook that reaches further is a conflict', async (t) => {
  const { muster, agent } = await startPair(t);
  const { invocations, nodes } = muster.core.services;
  const hooks = [HOOK];
  await agent.announceAs({ actions: [WRITE], hooks });
  await until(async () => (await nodes.actions('default')).some(({ name }) => name === 'flush'), { what: 'the hook' });

  for (const wider of [{ network: true }, { writable: ['/etc'] }, { sandbox: 'none' }]) {
    const { id, digest } = await askFlush(muster);
    await agent.announceAs({ actions: [WRITE], hooks: [{ ...HOOK, ...wider }] });
    await assertRejectsCode(invocations.approve(ADA, id, { digest }), 'conflict');
    await agent.announceAs({ actions: [WRITE], hooks });
    assert.equal((await invocations.approve(ADA, id, { digest }))?.status, 'approved');
  }
});

for (const [change, apply] of [
  ['deleted', (people: PeopleService) => people.deleteUser(OWNER, 'ann')],
  ['disabled', (people: PeopleService) => people.changeUser(OWNER, 'ann', { disabled: true })],
  ['made a viewer', (people: PeopleService) => people.changeUser(OWNER, 'ann', { role: 'viewer' })],
] as const) {
  test(`what a user asked for who was ${change} meanwhile is not approved`, async (t) => {
    const { muster, agent } = await startPair(t);
    const { invocations, people } = muster.core.services;
    const { id, digest } = await ask(muster);
    await apply(people);

    await assertRejectsCode(invocations.approve(ADA, id, { digest }), 'conflict');

    assert.equal((await invocations.get('default', id))?.status, 'pending');
    assert.equal(agent.offers.length, 0);
  });
}

test('an approval keeps to the cap on open executions of a node', async (t) => {
  const { muster } = await startPair(t, { config: { max_open_per_node: 1 } });
  const { invocations } = muster.core.services;
  const first = await ask(muster);
  const second = await ask(muster);
  await invocations.approve(ADA, first.id, { digest: first.digest });

  await assertRejectsCode(invocations.approve(ADA, second.id, { digest: second.digest }), 'too_many_open');

  assert.equal((await invocations.get('default', second.id))?.status, 'pending');
});

test('S-A-22: the risk is judged again at the approval: what has become danger is denied, and the approver gets a conflict', async (t) => {
  const { muster, agent } = await startPair(t);
  const { invocations } = muster.core.services;
  const { id, digest } = await ask(muster);
  const waited = invocations.whenDone('default', id, { ms: 10_000 });
  await agent.announceAs({ actions: [{ ...WRITE, risk: 'danger' }] });
  await until(async () => (await muster.core.services.nodes.actions('default'))[0]?.risk === 'danger', {
    what: 'the new risk',
  });

  await assertRejectsCode(invocations.approve(ANN, id, { digest }), 'forbidden');
  await assertRejectsCode(invocations.approve(ADA, id, { digest }), 'conflict');

  const denied = await waited;
  assert.deepEqual([denied?.status, denied?.approved_by], ['denied', null]);
  assert.match(denied?.error ?? '', /^policy_revalidated_deny: /);
  assert.equal(agent.offers.length, 0);
});

test('nobody approves after five minutes, and the sweeper says so (A-37, A-50, A-101)', async (t) => {
  const clock = createTestClock();
  const { muster } = await startPair(t, { clock });
  const { invocations } = muster.core.services;
  const { id, digest } = await ask(muster);
  const waited = invocations.whenDone('default', id, { ms: 20_000 });
  clock.advance(FIVE_MINUTES_MS);

  await assertRejectsCode(invocations.approve(ADA, id, { digest }), 'expired');
  await assertRejectsCode(invocations.deny(ADA, id, {}), 'expired');

  const expired = await waited;
  assert.equal(expired?.status, 'expired');
  assert.notEqual(expired.completed_at, null);
  const kept = await muster.store.read.selectFrom('invocations').select('ask').where('id', '=', id).execute();
  assert.deepEqual(kept, [{ ask: null }], 'what was asked is kept no longer than it may be approved');
  await assertRejectsCode(invocations.approve(ADA, id, { digest }), 'expired');
  assert.equal(await invocations.approve(ADA, '0197f0c2-9f5c-7b31-8e4a-6a0d5f1c2b3d', { digest }), undefined);
  assert.equal(await invocations.deny({ ...ADA, org: 'other' }, id, {}), undefined);
});

test('ten asks of one principal may wait, and taking one back makes room (A-76)', async (t) => {
  const { muster } = await startPair(t);
  const { invocations } = muster.core.services;
  const first = await ask(muster);
  for (let count = 1; count < 10; count += 1) await ask(muster);

  await assertRejectsCode(ask(muster), 'too_many_pending');
  const taken = await invocations.cancel(ANN, first.id, {});
  assert.deepEqual([taken?.status, taken?.cancel_requested_by], ['cancelled', 'ann']);
  assert.equal((await ask(muster)).status, 'pending');
  await assertRejectsCode(invocations.approve(ADA, first.id, { digest: first.digest }), 'conflict');
});

test('what waits still waits after a restart, and the same Idempotency-Key finds it whatever was decided', async (t) => {
  const { muster } = await startPair(t);
  const create = () =>
    muster.core.services.invocations.create(ANN, askFor({ nodes: ['pump-1'] }, { action: 'prime' }), {
      ...BODY,
      idempotencyKey: 'once',
    });
  const { invocation } = await create();
  await muster.stop();
  await muster.start();

  assert.equal((await create()).invocation.status, 'pending');
  await muster.core.services.invocations.deny(OWNER, invocation.id, {});
  const again = await create();
  assert.deepEqual([again.invocation.id, again.invocation.status, again.replayed], [invocation.id, 'denied', true]);
});

test('S-A-16: what is past its time is expired when somebody decides about it, also before the sweep', async (t) => {
  const clock = createTestClock();
  const { muster } = await startPair(t, { clock });
  const { invocations } = muster.core.services;

  for (const decide of ['approve', 'deny'] as const) {
    const { id, digest } = await ask(muster);
    clock.advance(FIVE_MINUTES_MS);
    // Read in the turn of the refusal: the sweep comes once a second.
    const expired = await invocations[decide](ADA, id, { digest }).then(
      () => undefined,
      () => invocations.get('default', id),
    );
    assert.equal(expired?.status, 'expired');
    assert.notEqual(expired.completed_at, null);
  }
});

test('promise 19: what waits is not approved any longer because the clock was set back', async (t) => {
  const clock = createTestClock();
  const { muster, agent } = await startPair(t, { clock });
  const { invocations } = muster.core.services;
  const first = await ask(muster);
  clock.advance(-30_000);
  assert.equal((await invocations.approve(ADA, first.id, first))?.status, 'approved', 'clocks differ a little');
  const { id, digest } = await ask(muster);

  clock.advance(-24 * 3_600_000);

  await assertRejectsCode(invocations.approve(ADA, id, { digest }), 'expired');
  assert.equal((await invocations.get('default', id))?.status, 'expired');
  assert.deepEqual((await invocations.pending('default', { limit: 10 })).items, []);
  await until(() => agent.offers.length === 1, { what: 'the first, and no other' });
});

test('C-39, A-24: the trail and the event say who denied it and why, and what was asked of whom and why', async (t) => {
  const { muster } = await startPair(t);
  const { invocations, events } = muster.core.services;
  const { create, deny } = invocations;
  const feed = await events.open();
  t.after(feed.close);
  const write = askFor({ nodes: ['pump-1'] }, { action: 'prime', reason: 'ticket 4711' });
  const { invocation } = await create(ANN, write, BODY);

  const denied = await deny(ADA, invocation.id, { reason: 'not on a Friday' });

  const [asked] = await auditRows(muster.store, 'invocation_pending');
  const [row] = await auditRows(muster.store, 'invocation_denied');
  const { digest } = invocation;
  const about = { action: 'prime', risk: 'write', digest, total: 1, policy: 0 };
  assert.deepEqual(asked?.details, { ...about, target: 'nodes pump-1', reason: 'ticket 4711' });
  assert.deepEqual([row?.actor, row?.details], ['ada', { digest, reason: 'not on a Friday' }]);
  assert.equal(denied?.duration_ms, null, 'it never ran');
  const told = await until(
    async () => {
      const page = await events.read(feed.head);
      const results = page === 'gone' ? [] : page.events.filter(({ type }) => type === 'action_approval_result');
      return results.length > 0 && results;
    },
    { what: 'the event' },
  );
  const result = { type: 'action_approval_result', invocationId: invocation.id, status: 'denied', approvedBy: 'ada' };
  assert.deepEqual(
    told.map(({ text }) => JSON.parse(text)).map(({ id: _, at: __, ...rest }) => rest),
    [result],
  );
});

async function startPair(
  t: TestScope,
  { runs = false, ...settings }: { runs?: boolean; clock?: TestClock; config?: Readonly<Record<string, unknown>> } = {},
): Promise<{ muster: TestCore; agent: ScriptedAgent }> {
  const muster = await startTestCore(t, settings);
  const { services } = muster.core;
  await services.people.createUser(OWNER, { id: 'ann', role: 'operator' });
  const script = { runs, actions: [WRITE] };
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1', script });
  return { muster, agent };
}

async function ask(
  { core }: TestCore,
  target: Parameters<typeof askFor>[0] = { nodes: ['pump-1'] },
): Promise<InvocationView> {
  const { invocation } = await core.services.invocations.create(ANN, askFor(target, { action: 'prime' }), BODY);
  return invocation;
}

async function askFlush({ core }: TestCore): Promise<InvocationView> {
  const { invocation } = await core.services.invocations.create(
    ANN,
    askFor({ nodes: ['pump-1'] }, { action: 'flush' }),
    BODY,
  );
  return invocation;
}
