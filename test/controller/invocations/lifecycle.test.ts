import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import type { InvocationView } from '../../../controller/http/schemas.js';
import { ENDED_STATUSES, INVOCATION_STATUSES } from '../../../controller/http/statuses.js';
import type { Principal } from '../../../controller/services.js';
import { firstBrokenAuditRow } from '../../../controller/store/audit.js';
import { isMusterError } from '../../../protocol/errors.js';
import { askFor } from '../../support/asks.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER, startTestCore, type TestCore } from '../../support/core.js';
import { PING, type ScriptedAgent, startScriptedAgent } from '../../support/scripted-agent.js';
import { createTestClock, type TestClock } from '../../support/test-clock.js';
import { until } from '../../support/until.js';

const ANN: Principal = { id: 'ann', org: 'default', role: 'operator' };
const BODY = { bodySha256: '1'.repeat(64) };
const PRIME = { ...PING, name: 'prime' };
const WIPE = { ...PING, name: 'wipe', risk: 'danger' as const };
const FIVE_MINUTES_MS = 5 * 60_000;

type Stage = Readonly<{ muster: TestCore; agent: ScriptedAgent; clock: TestClock }>;

/** Each way through the states, what is done on it, and what the view shows at its end. */
const WAYS: readonly Readonly<{
  what: string;
  action: string;
  /** What happens to the invocation that was asked for. */
  go: (stage: Stage, invocation: InvocationView) => Promise<unknown>;
  states: readonly string[];
  approvedBy: string | null;
}>[] = [
  {
    what: 'A-35, A-52: a read that succeeds is approved, executing, completed',
    action: 'ping',
    go: (stage, { id }) => run(stage, id),
    states: ['approved', 'executing', 'completed'],
    approvedBy: 'policy',
  },
  {
    what: 'A-35, A-54: a read that fails is approved, executing, failed',
    action: 'ping',
    go: (stage, { id }) => run(stage, id, { status: 'failed', exit_code: 1 }),
    states: ['approved', 'executing', 'failed'],
    approvedBy: 'policy',
  },
  {
    what: 'A-36: a write that a person approves is pending, approved, executing, completed',
    action: 'prime',
    go: async (stage, invocation) => {
      await approve(stage, invocation);
      await run(stage, invocation.id);
    },
    states: ['pending', 'approved', 'executing', 'completed'],
    approvedBy: 'owner',
  },
  {
    what: 'A-37, A-50, A-59: a write that nobody approves in five minutes is pending, expired',
    action: 'prime',
    go: async ({ clock }) => clock.advance(FIVE_MINUTES_MS),
    states: ['pending', 'expired'],
    approvedBy: null,
  },
  {
    what: 'A-38, A-56: a write that a person denies is pending, denied',
    action: 'prime',
    go: ({ muster }, { id }) => muster.core.services.invocations.deny(OWNER, id, {}),
    states: ['pending', 'denied'],
    approvedBy: 'owner',
  },
  {
    what: 'a write that is taken back is pending, cancelled',
    action: 'prime',
    go: ({ muster }, { id }) => muster.core.services.invocations.cancel(ANN, id, {}),
    states: ['pending', 'cancelled'],
    approvedBy: null,
  },
  {
    what: 'A-34, A-51: danger is denied and nothing else',
    action: 'wipe',
    go: async () => undefined,
    states: ['denied'],
    approvedBy: null,
  },
  {
    what: 'what its node never takes is approved, expired',
    action: 'ping',
    go: async ({ clock }) => clock.advance(25 * 3_600_000),
    states: ['approved', 'expired'],
    approvedBy: 'policy',
  },
  {
    what: 'what is cancelled while it runs is approved, executing, cancelled',
    action: 'ping',
    go: async ({ muster, agent }, { id }) => {
      const offered = await agent.nextOffer();
      await agent.ack(offered);
      await until(async () => (await read(muster, id)).status === 'executing', { what: 'executing' });
      await muster.core.services.invocations.cancel(ANN, id, {});
      await agent.result(offered, { status: 'cancelled', exit_code: -1, launched: 'yes' });
    },
    states: ['approved', 'executing', 'cancelled'],
    approvedBy: 'policy',
  },
];

test('A-33: the seven states and cancelled are all there are, and each is on one of the ways', () => {
  assert.deepEqual([...new Set(WAYS.flatMap(({ states }) => states))].sort(), [...INVOCATION_STATUSES].sort());
  assert.equal(INVOCATION_STATUSES.length, 8);
});

for (const { what, action, go, states, approvedBy } of WAYS) {
  test(`${what}, and then nothing more`, async (t) => {
    const stage = await startStage(t);
    const { muster } = stage;
    const { invocations } = muster.core.services;

    const asked = await ask(muster, action);
    await go(stage, asked);
    await until(async () => ENDED_STATUSES.has((await read(muster, asked.id)).status), { what: 'the end' });
    for (const late of [
      () => invocations.approve(OWNER, asked.id, { digest: asked.digest }),
      () => invocations.deny(OWNER, asked.id, {}),
      () => invocations.cancel(OWNER, asked.id, {}),
    ]) {
      await assert.rejects(late, (error) => isMusterError(error, 'conflict') || isMusterError(error, 'expired'));
    }

    const end = await read(muster, asked.id);
    assert.deepEqual(await statesOf(muster, asked.id), states);
    assert.deepEqual([end.status, end.approved_by], [states.at(-1), approvedBy]);
    assert.equal(end.approved_at !== null, approvedBy !== null);
    assert.ok(end.completed_at !== null);
    assert.equal(end.error === null, ['completed', 'cancelled'].includes(end.status) && end.counts.cancelled === 0);
    assert.equal(await firstBrokenAuditRow(muster.store.read), undefined);
  });
}

test('A-11…A-28: every ask leaves a row, whatever becomes of it, that says who asked for what and what came of it', async (t) => {
  const stage = await startStage(t);
  const { muster } = stage;
  const before = Date.now();
  const done = await ask(muster, 'ping');
  await run(stage, done.id);
  await ask(muster, 'prime');
  await ask(muster, 'wipe');
  await until(async () => (await read(muster, done.id)).status === 'completed', { what: 'the end' });

  const { items } = await muster.core.services.invocations.list('default', { limit: 10 });
  assert.deepEqual(
    items.map(({ action, risk, status, created_by }) => [action, risk, status, created_by]),
    [
      ['wipe', 'danger', 'denied', 'ann'],
      ['prime', 'write', 'pending', 'ann'],
      ['ping', 'read', 'completed', 'ann'],
    ],
  );
  const [, pending, completed] = items;
  assert.ok(pending && completed && Date.parse(completed.created_at) >= before - 1);
  assert.equal(Date.parse(pending.expires_at) - Date.parse(pending.created_at), FIVE_MINUTES_MS);
  assert.deepEqual([pending.duration_ms, pending.completed_at], [null, null]);
  const tookMs = Date.parse(completed.completed_at ?? '') - Date.parse(completed.approved_at ?? '');
  assert.equal(completed.duration_ms, tookMs);
  assert.equal(await muster.core.services.invocations.get('other', completed.id), undefined);
});

async function startStage(t: TestScope): Promise<Stage> {
  const clock = createTestClock();
  const muster = await startTestCore(t, { clock });
  const { services } = muster.core;
  await services.people.createUser(OWNER, { id: 'ann', role: 'operator' });
  const script = { actions: [PING, PRIME, WIPE] };
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1', script });
  return { muster, agent, clock };
}

/** As the operator; what is denied at once is found in the list. */
async function ask({ core }: TestCore, action: string): Promise<InvocationView> {
  const { invocations } = core.services;
  try {
    return (await invocations.create(ANN, askFor({ nodes: ['pump-1'] }, { action }), BODY)).invocation;
  } catch (error) {
    if (!isMusterError(error, 'denied_by_policy')) throw error;
    const [newest] = (await invocations.list('default', { limit: 1 })).items;
    assert.ok(newest);
    return newest;
  }
}

function approve({ muster }: Stage, { id, digest }: InvocationView): Promise<unknown> {
  return muster.core.services.invocations.approve(OWNER, id, { digest });
}

/** Accepts the next offer and answers it once that is stored: a result that is quicker overtakes the step. */
async function run({ muster, agent }: Stage, id: string, changes: Parameters<ScriptedAgent['result']>[1] = {}) {
  const offered = await agent.nextOffer();
  await agent.ack(offered);
  await until(async () => (await read(muster, id)).status === 'executing', { what: 'executing' });
  await agent.result(offered, changes);
}

async function read({ core }: TestCore, id: string): Promise<InvocationView> {
  const found = await core.services.invocations.get('default', id);
  assert.ok(found);
  return found;
}

const Told = z.array(z.looseObject({ type: z.string() }));
const ToldInvocation = z.looseObject({ invocation_id: z.string(), status: z.string() });

/** Each state in which the invocation was stored, in order. */
async function statesOf({ store }: TestCore, id: string): Promise<string[]> {
  const rows = await store.read.selectFrom('events').selectAll().orderBy('first_id').execute();
  const told = rows.flatMap(({ body }) => Told.parse(JSON.parse(body)));
  const states = told
    .filter(({ type }) => type === 'invocation')
    .map((event) => ToldInvocation.parse(event))
    .filter(({ invocation_id }) => invocation_id === id)
    .map(({ status }) => status);
  return states.filter((status, index) => status !== states[index - 1]);
}
