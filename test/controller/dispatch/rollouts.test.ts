import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CreateInvocation, InvocationView } from '../../../controller/http/schemas.js';
import type { Principal } from '../../../controller/services.js';
import { firstBrokenAuditRow } from '../../../controller/store/audit.js';
import type { Result } from '../../../protocol/messages/result.js';
import { type Clock, SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { askFor, invoke } from '../../support/asks.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { auditRows } from '../../support/audit-rows.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER, startTestCore, type TestCore } from '../../support/core.js';
import { setPolicy } from '../../support/policies.js';
import { PING, type ScriptedAgent, startScriptedAgent } from '../../support/scripted-agent.js';
import { until } from '../../support/until.js';

const FLEET = { fleet: true } as const;
const BODY = { bodySha256: '1'.repeat(64) };
const ANN: Principal = { id: 'ann', org: 'default', role: 'operator' };
const FAILED: Partial<Result> = { status: 'failed', exit_code: 1 };

/** A wall clock and a monotonic one that a test moves apart. */
type Clocks = Clock & { wallMs: number; steadyMs: number };

function createClocks(): Clocks {
  const clocks = {
    wallMs: 0,
    steadyMs: 0,
    nowMs: () => SYSTEM_CLOCK.nowMs() + clocks.wallMs,
    monotonicMs: () => SYSTEM_CLOCK.monotonicMs() + clocks.steadyMs,
  };
  return clocks;
}

test('one batch runs at a time, the others are held, and nodes that are away come last', async (t) => {
  const { muster, of } = await startFleet(t, ['a', 'b', 'c', 'd', 'e']);
  const [a, b, c, d, e] = [of('a'), of('b'), of('c'), of('d'), of('e')];
  await leave(muster, b);

  const id = await invoke(muster.core.services.invocations, { group: 'pumps' }, { batch: { size: 2, max_failed: 0 } });
  const first = await Promise.all([a.nextOffer(), c.nextOffer()]);

  const statuses = 'a 1 sent, b 3 held, c 1 sent, d 2 held, e 2 held';
  await until(async () => (await statusesOf(muster, id)).join(', ') === statuses, { what: statuses });
  assert.deepEqual(
    first.map(({ kind, request }) => [kind, request.target]),
    [
      ['node_request', { node: 'a' }],
      ['node_request', { node: 'c' }],
    ],
  );
  await succeed(a);
  await until(() => c.offers.length > 1, { what: 'the same offer again, a second later' });
  assert.deepEqual([d.offers.length, e.offers.length], [0, 0]); // one of the batch has not ended
  await succeed(c);
  assert.equal(first[0]?.request.execution_id, (await d.nextOffer()).request.execution_id);
  await e.nextOffer();
  assert.equal((await read(muster, id)).batch?.begun, 2);
  await succeed(d, e);
  await until(async () => (await read(muster, id)).batch?.begun === 3, { what: 'the last batch' });
  assert.deepEqual((await statusesOf(muster, id))[1], 'b 3 queued');

  await b.hello();
  await b.nextOffer();
  await succeed(b);
  const done = await muster.core.services.invocations.whenDone('default', id, { ms: 5_000 });
  assert.deepEqual([done?.status, done?.batch?.count, done?.counts.success], ['completed', 3, 5]);
  for (const agent of [a, b, d, e]) assert.equal(agent.offers.length, 1);
  assert.deepEqual(await auditOf(muster, 'batch_begun'), [
    { batch: 2, of: 3, count: 2 },
    { batch: 3, of: 3, count: 1 },
  ]);
});

test('when more have failed than may, no further batch begins, and the rest ends with the reason', async (t) => {
  const { muster, of } = await startFleet(t, ['a', 'b', 'c', 'd']);
  const [a, b, c, d] = [of('a'), of('b'), of('c'), of('d')];

  const id = await rollOut(muster, { size: 2, max_failed: 0 });
  await b.nextOffer();
  await a.result(await a.nextOffer(), FAILED);
  await until(async () => (await read(muster, id)).batch?.stopped_at !== null, { what: 'the stop' });

  assert.equal((await read(muster, id)).status, 'executing'); // what has begun is not touched
  await succeed(b);
  const done = await muster.core.services.invocations.whenDone('default', id, { ms: 5_000 });
  assert.equal(done?.status, 'failed');
  assert.equal(done.error, 'of 4: 1 failed, 2 cancelled; stopped, since too many had failed');
  const { items = [] } = (await muster.core.services.invocations.executions('default', id, { limit: 10 })) ?? {};
  assert.deepEqual(
    items.map(({ node, status, reason }) => [node, status, reason]),
    [
      ['a', 'failed', null],
      ['b', 'success', null],
      ['c', 'cancelled', 'batch_stopped'],
      ['d', 'cancelled', 'batch_stopped'],
    ],
  );
  assert.deepEqual([c.offers.length, d.offers.length], [0, 0]);
  assert.deepEqual(await auditOf(muster, 'rollout_stopped'), [{ failed: 1, allowed: 0, never_begun: 2 }]);
  assert.equal(await firstBrokenAuditRow(muster.store.read), undefined);
});

test('failures up to the allowance do not stop it, whatever they are', async (t) => {
  const { muster, of } = await startFleet(t, ['a', 'b', 'c', 'd']);
  const [a, b, c, d] = [of('a'), of('b'), of('c'), of('d')];

  const id = await rollOut(muster, { size: 1, max_failed: '50%' });
  await a.result(await a.nextOffer(), FAILED);
  await b.ack(await b.nextOffer(), 'actions_disabled');
  await c.result(await c.nextOffer(), { status: 'timeout', exit_code: -1 });
  const done = await muster.core.services.invocations.whenDone('default', id, { ms: 10_000 });

  assert.equal(d.offers.length, 0);
  assert.equal(done?.error, 'of 4: 1 rejected, 1 failed, 1 timeout, 1 cancelled; stopped, since too many had failed');
});

test('the pause counts from the last end, by a clock that nobody can set', async (t) => {
  const clock = createClocks();
  const { muster, of } = await startFleet(t, ['a', 'b'], clock);
  const [a, b] = [of('a'), of('b')];

  const id = await rollOut(muster, { size: 1, pause: '1h', max_failed: 0 });
  await a.nextOffer();
  await succeed(a);
  await until(async () => (await read(muster, id)).counts.success === 1, { what: 'the first end' });
  await until(async () => (await read(muster, id)).status === 'executing', { what: 'executing' });
  clock.wallMs += 2 * 3_600_000;
  await b.hello();
  assert.equal((await read(muster, id)).batch?.begun, 1);
  clock.steadyMs += 3_601_000;
  await until(() => began(muster, id, 2), { what: 'the second batch' });
  await b.hello();

  await b.nextOffer();
});

test('a controller that comes back goes on with the batch, and a pause is never longer than it was asked to be', async (t) => {
  const clock = createClocks();
  const { muster, of } = await startFleet(t, ['a', 'b', 'c'], clock);
  const [a, b, c] = [of('a'), of('b'), of('c')];
  const id = await rollOut(muster, { size: 1, pause: '1h', max_failed: 0 });
  await a.nextOffer();

  await muster.stop();
  await muster.start();
  await a.hello();
  await a.nextOffer();
  await succeed(a);
  await until(async () => (await read(muster, id)).counts.success === 1, { what: 'the first end' });
  await muster.stop();
  clock.wallMs -= 365 * 24 * 3_600_000;
  await muster.start();
  await b.hello();
  assert.deepEqual(await statusesOf(muster, id), ['a 1 success', 'b 2 held', 'c 3 held']);
  const endsPause = (): Promise<boolean> => {
    clock.steadyMs += 3_601_000; // it began with the first look of the new process
    return began(muster, id, 2);
  };
  await until(endsPause, { what: 'the second batch' });
  await b.hello();
  await b.nextOffer();

  assert.deepEqual([b.offers.length, c.offers.length], [1, 0]);
});

test('nodes that do not accept their batch within its wait are given up, and count as failed', async (t) => {
  const clock = createClocks();
  const { muster, of } = await startFleet(t, ['a', 'b', 'c'], clock);
  const [a, b, c] = [of('a'), of('b'), of('c')];
  const id = await rollOut(muster, { size: 1, wait: '10m', max_failed: 1 });

  const { request } = await a.nextOffer();
  assert.equal(Date.parse(request.expires_at) - Date.parse(request.issued_at), 600_000);
  clock.wallMs += 600_000;
  await until(() => began(muster, id, 2), { what: 'the second batch' });
  await b.hello();
  const second = await b.nextOffer();
  assert.equal(Date.parse(second.request.expires_at) - Date.parse(request.expires_at) > 590_000, true);
  clock.wallMs += 602_000;
  const done = await muster.core.services.invocations.whenDone('default', id, { ms: 5_000 });

  assert.equal(done?.error, 'of 3: 2 expired, 1 cancelled; stopped, since too many had failed');
  assert.equal(c.offers.length, 0);
});

test('what has not begun when the ask expires ends as expired', async (t) => {
  const clock = createClocks();
  const { muster, of } = await startFleet(t, ['a', 'b'], clock);
  const [a, b] = [of('a'), of('b')];
  const id = await rollOut(muster, { size: 1, max_failed: 2 }, { expires_in: '1m' });
  await a.ack(await a.nextOffer());

  clock.wallMs += 62_000;
  await until(async () => (await read(muster, id)).counts.expired === 1, { what: 'the expiry of b' });
  await succeed(a);

  const done = await muster.core.services.invocations.whenDone('default', id, { ms: 5_000 });
  assert.equal(done?.error, 'of 2: 1 expired');
  assert.equal(b.offers.length, 0);
});

test('a cancel ends the batches to come at once, and what runs when its node says so', async (t) => {
  const { muster, of } = await startFleet(t, ['a', 'b', 'c']);
  const [a, b] = [of('a'), of('b')];
  const { invocations } = muster.core.services;
  const id = await rollOut(muster, { size: 1, max_failed: 3 });
  const offered = await a.nextOffer();
  await a.ack(offered);

  await invocations.cancel(OWNER, id, {});

  assert.deepEqual((await statusesOf(muster, id)).slice(1), ['b 2 cancelled', 'c 3 cancelled']);
  await a.result(offered, { status: 'cancelled', exit_code: -1, launched: 'yes' });
  const done = await invocations.whenDone('default', id, { ms: 5_000 });
  assert.deepEqual([done?.status, done?.error, done?.batch?.begun], ['cancelled', 'of 3: 3 cancelled', 1]);
  assert.equal(b.offers.length, 0);
});

test('the first batch begins with the approval, of what was shown (promise 19)', async (t) => {
  const { muster, of } = await startFleet(t, ['a', 'b']);
  const [a, b] = [of('a'), of('b')];
  const { invocations } = muster.core.services;
  await muster.core.services.people.createUser(OWNER, { id: 'ann', role: 'operator' });
  const batch = { size: 1, max_failed: 0 };
  const { invocation } = await invocations.create(ANN, askFor(FLEET, { action: 'prime', batch }), BODY);
  const other = await invocations.preview(ANN, askFor(FLEET, { action: 'prime' }));

  assert.deepEqual([invocation.status, invocation.batch?.begun, invocation.batch?.count], ['pending', 0, 2]);
  assert.notEqual(invocation.digest, other.digest);
  await invocations.approve(OWNER, invocation.id, { digest: invocation.digest });
  await a.nextOffer();

  assert.equal((await read(muster, invocation.id)).batch?.begun, 1);
  assert.equal(b.offers.length, 0);
});

const AGAINST: readonly Readonly<{
  what: string;
  asker: Principal;
  action: string;
  change: (muster: TestCore) => Promise<unknown>;
  why: RegExp;
}>[] = [
  {
    what: 'an action that has become danger',
    asker: OWNER,
    action: 'prime',
    change: (muster) => setPolicy(muster, { risks: [{ actions: ['prime'], risk: 'danger' }] }),
    why: /denies actions of risk danger/,
  },
  {
    what: 'an action that would wait for a person now, and that nobody has approved',
    asker: ANN,
    action: 'ping',
    change: (muster) => setPolicy(muster, { risks: [{ actions: ['ping'], risk: 'write' }] }),
    why: /needs an approval/,
  },
  {
    what: 'an asker who may not ask for it any more',
    asker: ANN,
    action: 'ping',
    change: (muster) => setPolicy(muster, { access: [{ ask: { role: 'admin' } }] }),
    why: /names others who may ask/,
  },
  {
    what: 'an asker who was shut out',
    asker: ANN,
    action: 'ping',
    change: ({ core }) => core.services.people.changeUser(OWNER, 'ann', { disabled: true }),
    why: /ann, who asked for it, may not ask for actions any more/,
  },
  {
    what: 'a node that has become protected, without a reason',
    asker: OWNER,
    action: 'prime',
    change: async (muster) => {
      await muster.core.services.nodes.change(OWNER, 'b', { labels: { site: 'north' } });
      await setPolicy(muster, { protected: [{ labels: { site: 'north' } }] });
    },
    why: /gives no reason/,
  },
];

for (const { what, asker, action, change, why } of AGAINST) {
  test(`the policy is read again before each batch: ${what} stops the rollout`, async (t) => {
    const { muster, of } = await startFleet(t, ['a', 'b']);
    const { invocations, people } = muster.core.services;
    await people.createUser(OWNER, { id: 'ann', role: 'operator' });
    const ask = askFor(FLEET, { action, confirm: true, batch: { size: 1, max_failed: 0 } });
    const { id } = (await invocations.create(asker, ask, BODY)).invocation;
    await of('a').nextOffer();

    await change(muster);
    await succeed(of('a'));
    const done = await invocations.whenDone('default', id, { ms: 5_000 });

    const end = 'of 2: 1 cancelled; stopped, since the policy allows it no longer';
    assert.deepEqual([done?.status, done?.error, done?.batch?.begun], ['failed', end, 1]);
    const held = await invocations.execution('default', id, 'b');
    assert.deepEqual([held?.status, held?.reason], ['cancelled', 'policy_revalidated_deny']);
    const [stop] = await auditRows(muster.store, 'rollout_stopped');
    assert.match(JSON.stringify(stop?.details), why);
    assert.equal(of('b').offers.length, 0);
    assert.ok((await muster.core.services.audit.verify({})).ok);
  });
}

test('what another person has approved goes on under a policy that would let it wait', async (t) => {
  const { muster, of } = await startFleet(t, ['a', 'b']);
  const { invocations, people } = muster.core.services;
  await people.createUser(OWNER, { id: 'ann', role: 'operator' });
  const ask = askFor(FLEET, { action: 'prime', batch: { size: 1, max_failed: 0 } });
  const { id, digest } = (await invocations.create(ANN, ask, BODY)).invocation;
  await invocations.approve(OWNER, id, { digest });
  await of('a').nextOffer();

  await setPolicy(muster, { distinct_approver: true });
  await succeed(of('a'));

  await of('b').nextOffer();
  assert.equal((await read(muster, id)).batch?.begun, 2);
});

test('pauses that cannot end before the ask expires are refused', async (t) => {
  const { muster } = await startFleet(t, ['a', 'b', 'c']);
  const batch = { size: 1, pause: '30m', max_failed: 0 };

  await assertRejectsCode(rollOut(muster, batch, { expires_in: '1h' }), 'invalid_request');
  await rollOut(muster, batch, { expires_in: '61m' });
  assert.equal((await muster.core.services.invocations.preview(OWNER, askFor(FLEET, { batch }))).batches, 3);
});

async function startFleet(
  t: TestScope,
  nodes: readonly string[],
  clock: Clock = SYSTEM_CLOCK,
): Promise<{ muster: TestCore; of: (node: string) => ScriptedAgent }> {
  const muster = await startTestCore(t, { clock });
  const { services } = muster.core;
  await services.people.createUser(OWNER, { id: OWNER.id, role: 'owner' });
  const script = { groups: ['pumps'], actions: [PING, { ...PING, name: 'prime' }] };
  const start = (node: string): Promise<ScriptedAgent> =>
    startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node, script });
  const agents = await Promise.all(nodes.map(start));
  const of = (node: string): ScriptedAgent => {
    const found = agents.find((agent) => agent.node === node);
    assert.ok(found);
    return found;
  };
  return { muster, of };
}

function rollOut(
  { core }: TestCore,
  batch: NonNullable<CreateInvocation['batch']>,
  changes: Partial<CreateInvocation> = {},
): Promise<string> {
  return invoke(core.services.invocations, FLEET, { batch, ...changes });
}

/** Each answers the newest offer that it has. */
async function succeed(...agents: readonly ScriptedAgent[]): Promise<void> {
  for (const agent of agents) {
    const offered = agent.offers.at(-1);
    assert.ok(offered);
    await agent.result(offered);
  }
}

async function leave({ core }: TestCore, agent: ScriptedAgent): Promise<void> {
  await agent.goOffline();
  await until(async () => (await core.services.nodes.get('default', agent.node))?.state === 'offline', {
    what: 'offline',
  });
}

async function read({ core }: TestCore, id: string): Promise<InvocationView> {
  const found = await core.services.invocations.get('default', id);
  assert.ok(found);
  return found;
}

/** Node, batch and status of each execution. */
async function statusesOf({ core }: TestCore, id: string): Promise<string[]> {
  const { items = [] } = (await core.services.invocations.executions('default', id, { limit: 50 })) ?? {};
  return items.map(({ node, batch, status }) => `${node} ${batch} ${status}`);
}

async function began(muster: TestCore, id: string, batch: number): Promise<boolean> {
  return (await read(muster, id)).batch?.begun === batch;
}

async function auditOf({ store }: TestCore, event: string): Promise<unknown[]> {
  const rows = await store.read.selectFrom('audit').select('details').where('event', '=', event).execute();
  return rows.map(({ details }) => JSON.parse(details));
}
