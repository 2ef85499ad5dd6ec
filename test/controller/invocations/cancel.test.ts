import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOpenExecutions, type OpenExecution } from '../../../controller/dispatch/open-executions.js';
import { createInvocationEvents } from '../../../controller/events/invocation-events.js';
import { createCancel } from '../../../controller/invocations/cancel.js';
import type { Principal } from '../../../controller/services.js';
import { firstBrokenAuditRow } from '../../../controller/store/audit.js';
import { moveExecutions } from '../../../controller/store/executions.js';
import { settleInvocations } from '../../../controller/store/invocations.js';
import type { Store } from '../../../controller/store/store.js';
import { isMusterError } from '../../../protocol/errors.js';
import { type Clock, SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { invoke } from '../../support/asks.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER, startTestCore, type TestCore } from '../../support/core.js';
import { type Offered, type ScriptedAgent, startScriptedAgent } from '../../support/scripted-agent.js';
import { createTestClock } from '../../support/test-clock.js';
import { until } from '../../support/until.js';

const OPERATOR: Principal = { id: 'ann', org: 'default', role: 'operator' };
const HOUR_MS = 3_600_000;
const UNKNOWN_ID = '0197f0c2-9f5c-7b31-8e4a-6a0d5f1c2b3d';

test('what has not left the controller is cancelled at once and never offered', async (t) => {
  const { muster, agent } = await startPair(t);
  const { invocations } = muster.core.services;
  await agent.goOffline();
  await until(async () => !(await isConnected(muster)), { what: 'the node is away' });
  const id = await invoke(invocations, { nodes: ['pump-1'] });

  const cancelled = await invocations.cancel(OWNER, id, { reason: 'wrong site' });

  assert.equal(cancelled?.status, 'cancelled');
  assert.equal(cancelled.cancel_requested_by, 'owner');
  const next = await invoke(invocations, { nodes: ['pump-1'] }, { reason: 'the next one' });
  await agent.hello();
  assert.equal((await agent.nextOffer()).request.triggered_by?.invocation_id, next);
});

test('an offer that the node never saw is cancelled when it says so, and is offered no more', async (t) => {
  const { muster, agent } = await startPair(t);
  const { invocations } = muster.core.services;
  const { id, offered } = await offer(muster, agent);

  const asked = await invocations.cancel(OWNER, id, {});
  const control = await cancelOf(agent, offered);
  const offers = agent.offers.length;
  await agent.answerControl(control, { state: 'never_seen' });

  assert.equal(asked?.status, 'approved');
  assert.equal((await invocations.whenDone('default', id, { ms: 10_000 }))?.status, 'cancelled');
  assert.deepEqual(await shown(muster, id), { status: 'cancelled', provisional: false, cancelling: false });
  await agent.hello();
  assert.equal(agent.offers.length, offers);
});

test('a request that comes after its cancel is refused by the node, and that is its end, too', async (t) => {
  const { muster, agent } = await startPair(t);
  const { invocations } = muster.core.services;
  const { id, offered } = await offer(muster, agent);

  await invocations.cancel(OWNER, id, {});
  await agent.ack(offered, 'cancelled');

  assert.equal((await invocations.whenDone('default', id, { ms: 10_000 }))?.status, 'cancelled');
});

test('what runs is to be cancelled until its result says how it ended', async (t) => {
  for (const status of ['cancelled', 'success'] as const) {
    const { muster, agent } = await startPair(t);
    const { invocations } = muster.core.services;
    const { id, offered } = await offer(muster, agent);
    await agent.ack(offered);
    await until(async () => (await shown(muster, id)).status === 'accepted', { what: 'accepted' });

    await invocations.cancel(OWNER, id, {});
    await agent.answerControl(await cancelOf(agent, offered), { state: 'open' });
    assert.deepEqual(await shown(muster, id), { status: 'accepted', provisional: false, cancelling: true });
    await agent.result(offered, { status, ...(status === 'cancelled' ? { exit_code: -1, launched: 'yes' } : {}) });

    const ended = await invocations.whenDone('default', id, { ms: 10_000 });
    assert.equal(ended?.status, status === 'success' ? 'completed' : 'cancelled');
    assert.equal(await firstBrokenAuditRow(muster.store.read), undefined);
  }
});

test('a node that was away is told by its welcome and by a cancel, also after a restart of the controller', async (t) => {
  const { muster, agent } = await startPair(t);
  const { id, offered } = await offer(muster, agent);
  await agent.goOffline();
  await until(async () => !(await isConnected(muster)), { what: 'the node is away' });
  await muster.core.services.invocations.cancel(OWNER, id, {});
  await muster.stop();
  await muster.start();

  await agent.hello();

  const welcome = agent.controls.filter(({ kind }) => kind === 'welcome').at(-1);
  assert.deepEqual(welcome?.kind === 'welcome' ? welcome.cancelled : undefined, [offered.request.execution_id]);
  await agent.answerControl(await cancelOf(agent, offered), { state: 'never_seen' });
  const { invocations } = muster.core.services;
  assert.equal((await invocations.whenDone('default', id, { ms: 10_000 }))?.status, 'cancelled');
});

test('a signed acceptance that comes after all opens it again, and it is still to be cancelled', async (t) => {
  const { muster, agent } = await startPair(t);
  const { invocations } = muster.core.services;
  const { id, offered } = await offer(muster, agent);
  await invocations.cancel(OWNER, id, {});
  await agent.answerControl(await cancelOf(agent, offered), { state: 'never_seen' });
  await invocations.whenDone('default', id, { ms: 10_000 });

  await agent.ack(offered);

  await until(async () => (await shown(muster, id)).cancelling, { what: 'open and to be cancelled' });
  await agent.result(offered, { status: 'cancelled', exit_code: -1, launched: 'yes' });
  assert.equal((await invocations.whenDone('default', id, { ms: 10_000 }))?.status, 'cancelled');
});

for (const [by, tell] of [
  ['an ack', (agent: ScriptedAgent, offered: Offered) => agent.ack(offered)],
  ['a hello', (agent: ScriptedAgent, { request }: Offered) => agent.hello({ running: [request.execution_id] })],
] as const) {
  test(`what has expired and runs after all is to be cancelled still, when ${by} tells of it`, async (t) => {
    const clock = createTestClock();
    const { muster, agent } = await startPair(t, clock);
    const { invocations } = muster.core.services;
    const { id, offered } = await offer(muster, agent);
    await agent.goOffline();
    await until(async () => !(await isConnected(muster)), { what: 'the node is away' });
    await invocations.cancel(OWNER, id, {});
    clock.advance(25 * HOUR_MS);
    assert.equal((await invocations.whenDone('default', id, { ms: 10_000 }))?.status, 'cancelled');
    await agent.hello();

    await tell(agent, offered);

    await cancelOf(agent, offered);
    await until(async () => (await shown(muster, id)).status === 'accepted', { what: 'accepted' });
    assert.equal((await shown(muster, id)).cancelling, true);
    await agent.result(offered, { status: 'cancelled', exit_code: -1, launched: 'yes' });
    assert.equal((await invocations.whenDone('default', id, { ms: 10_000 }))?.status, 'cancelled');
  });
}

test('the welcome names what is to be cancelled also when it had expired and the hello says that it runs', async (t) => {
  const clock = createTestClock();
  const { muster, agent } = await startPair(t, clock);
  const { invocations } = muster.core.services;
  const { id, offered } = await offer(muster, agent);
  await agent.goOffline();
  await until(async () => !(await isConnected(muster)), { what: 'the node is away' });
  await invocations.cancel(OWNER, id, {});
  clock.advance(25 * HOUR_MS);
  await invocations.whenDone('default', id, { ms: 10_000 });

  const { execution_id } = offered.request;
  await agent.hello({ running: [execution_id, UNKNOWN_ID] });

  const welcome = agent.controls.filter(({ kind }) => kind === 'welcome').at(-1);
  assert.deepEqual(welcome?.kind === 'welcome' ? welcome.cancelled : undefined, [execution_id]);
});

test('cancelling twice is the same, what has ended stays, and an operator ends only their own', async (t) => {
  const { muster, agent } = await startPair(t);
  const { invocations } = muster.core.services;
  const { id, offered } = await offer(muster, agent);

  await assertRejectsCode(invocations.cancel(OPERATOR, id, {}), 'forbidden');
  await invocations.cancel(OWNER, id, {});
  const twice = await invocations.cancel({ ...OWNER, id: 'other' }, id, {});
  assert.equal(twice?.cancel_requested_by, 'owner');
  await agent.result(offered);
  await invocations.whenDone('default', id, { ms: 10_000 });
  await assertRejectsCode(invocations.cancel(OWNER, id, {}), 'conflict');
  assert.equal(await invocations.cancel(OWNER, UNKNOWN_ID, {}), undefined);
  const rows = await muster.store.read
    .selectFrom('audit')
    .select('actor')
    .where('event', '=', 'invocation_cancel_requested')
    .execute();
  assert.deepEqual(rows, [{ actor: 'owner' }]);
});

test('what ends in the very commit of its cancel stays as it ended, and the caller is told', async (t) => {
  const { muster, agent } = await startPair(t);
  const { invocations } = muster.core.services;
  const { id, offered } = await offer(muster, agent);
  const key = { executionId: offered.request.execution_id, node: 'pump-1' };

  // Asked in one turn of the event loop, both share a commit.
  const [, cancel] = await Promise.allSettled([
    muster.store.write(async (tx) => {
      await moveExecutions(tx, [key], { from: ['sent', 'queued'], set: { status: 'expired', open: 0, ended_at: 1 } });
      return settleInvocations(tx, [id], 1);
    }),
    invocations.cancel(OWNER, id, {}),
  ]);

  assert.ok(cancel.status === 'rejected' && isMusterError(cancel.reason, 'conflict'));
  const shown = await invocations.get('default', id);
  assert.deepEqual([shown?.status, shown?.cancel_requested_at], ['expired', null]);
});

test('what was committed a moment before its cancel, and comes to memory after the look, is cancelled as well', async (t) => {
  const { muster } = await startPair(t);
  const { invocations } = muster.core.services;
  const id = await invoke(invocations, { nodes: ['pump-1'] });
  const row = await muster.store.read.selectFrom('executions').selectAll().executeTakeFirstOrThrow();
  const open = createOpenExecutions();
  const told: OpenExecution[] = [];
  let execution: OpenExecution | undefined;
  const store: Store = {
    ...muster.store,
    write(work, options) {
      const known = { executionId: row.execution_id, node: row.node, invocationId: id, expiresAtMs: row.expires_at };
      const sent = { state: 'sent', requestSha256: row.request_sha256, offered: true } as const;
      execution = open.add({ ...known, timeoutMs: row.timeout_ms, checksum: null, ...sent });
      return muster.store.write(work, options);
    },
  };
  const cancel = createCancel(
    {
      ...{ store, open, clock: SYSTEM_CLOCK, events: createInvocationEvents() },
      dispatcher: { ended: () => undefined },
      cancellations: { add: (executions) => void told.push(...executions) },
      marks: { drop: () => undefined },
      metrics: { executionEnded: () => undefined },
    },
    invocations.get,
  );

  await cancel(OWNER, id, {});

  assert.deepEqual([execution?.cancelling, told], [true, [execution]]);
  assert.equal((await shown(muster, id)).cancelling, true);
});

test('what a node fetches in the very commit of its cancel still has an end', async (t) => {
  const clock = createTestClock();
  const { muster } = await startPair(t, clock);
  const { invocations, polling } = muster.core.services;
  await polling.createToken(OWNER, { node: 'kiosk-1', groups: [], labels: {} });
  const id = await invoke(invocations, { nodes: ['kiosk-1'] }, { action: 'restart', confirm: true });

  const [fetched] = await Promise.all([
    polling.fetch({ node: 'kiosk-1', org: 'default' }, 'a-key'),
    invocations.cancel(OWNER, id, {}),
  ]);
  assert.equal(fetched.length, 1);
  const execution = await invocations.execution('default', id, 'kiosk-1');
  assert.deepEqual([execution?.status, execution?.cancelling], ['sent', true]);
  clock.advance(25 * HOUR_MS);

  assert.equal((await invocations.whenDone('default', id, { ms: 10_000 }))?.status, 'cancelled');
});

async function startPair(
  t: TestScope,
  clock: Clock = SYSTEM_CLOCK,
): Promise<{ muster: TestCore; agent: ScriptedAgent }> {
  const muster = await startTestCore(t, { clock });
  const { services } = muster.core;
  return { muster, agent: await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' }) };
}

async function offer({ core }: TestCore, agent: ScriptedAgent): Promise<{ id: string; offered: Offered }> {
  const id = await invoke(core.services.invocations, { nodes: ['pump-1'] });
  return { id, offered: await agent.nextOffer() };
}

async function cancelOf(agent: ScriptedAgent, { request }: Offered) {
  return until(
    () => agent.sent.find(({ control }) => control.kind === 'cancel' && control.execution_id === request.execution_id),
    { what: 'the cancel' },
  );
}

async function shown({ core }: TestCore, id: string) {
  const execution = await core.services.invocations.execution('default', id, 'pump-1');
  assert.ok(execution !== undefined);
  const { status, provisional, cancelling } = execution;
  return { status, provisional, cancelling };
}

async function isConnected({ core }: TestCore): Promise<boolean> {
  return core.presence.isConnected('pump-1');
}
