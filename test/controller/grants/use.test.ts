import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CreateGrant, type GrantView } from '../../../controller/http/grant-schemas.js';
import type { InvocationView } from '../../../controller/http/schemas.js';
import type { Principal } from '../../../controller/services.js';
import { firstBrokenAuditRow } from '../../../controller/store/audit.js';
import { askFor } from '../../support/asks.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { auditRows } from '../../support/audit-rows.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER, startTestCore } from '../../support/core.js';
import { setPolicy } from '../../support/policies.js';
import { makeSandbox } from '../../support/sandboxes.js';
import { startScriptedAgent } from '../../support/scripted-agent.js';
import { createTestClock } from '../../support/test-clock.js';

const ANN: Principal = { id: 'ann', org: 'default', role: 'operator' };
const ADA: Principal = { id: 'ada', org: 'default', role: 'admin' };
const BODY = { bodySha256: '1'.repeat(64) };
const ACTIONS = ['prime', 'drain', 'melt'].map((name) => ({ name, description: 'changes something', parameters: [] }));
const HOUR_MS = 3_600_000;
const PENDING = 10;

test('S-A-37: a grant approves a write without a person, and past ten that wait', async (t) => {
  const { ci, ask, grant, grants, muster } = await startSite(t);
  for (let n = 0; n < PENDING; n += 1) assert.equal((await ask(ci, 'drain')).status, 'pending');
  await assertRejectsCode(ask(ci, 'drain'), 'too_many_pending');
  const { id } = await grant({ sandbox: ci.sandbox?.id });

  const granted = await ask(ci);

  assert.deepEqual([granted.status, granted.approved_by], ['approved', `grant:${id}`]);
  const { used, state } = await grants.read(id);
  assert.deepEqual([used, state], [1, 'active']);
  await assertRejectsCode(ask(ci, 'drain'), 'too_many_pending');
  const rows = await auditRows(muster.store, 'grant_used');
  assert.deepEqual(
    rows.map(({ actor, subject }) => [actor, subject]),
    [[ci.id, `grant:${id}`]],
  );
  assert.equal(await firstBrokenAuditRow(muster.store.read), undefined);
});

test('a preview says what a grant approves, and uses nothing up', async (t) => {
  const { ci, ask, grant, grants, muster } = await startSite(t);
  const { id } = await grant({ scope: 'org', max_calls: 1 });
  const { preview } = muster.core.services.seenBy(ci).invocations;

  const before = await preview(ci, askFor({ nodes: ['pump-1'] }, { action: 'prime' }));
  assert.equal((await ask(ci)).status, 'approved');
  const after = await preview(ci, askFor({ nodes: ['pump-1'] }, { action: 'prime' }));

  assert.deepEqual([before.decision.kind, after.decision.kind], ['approved', 'pending']);
  assert.equal((await grants.read(id)).used, 1);
});

for (const [row, budget, calls] of [
  ['S-A-38: of two at once', 1, 2],
  ['S-A-38: of three at once', 2, 3],
] as const) {
  test(`${row} a budget of ${budget} approves ${budget}, and the rest waits`, async (t) => {
    const { ci, ask, grant, grants } = await startSite(t);
    const { id } = await grant({ sandbox: ci.sandbox?.id, max_calls: budget });

    const asked = await Promise.all(Array.from({ length: calls }, () => ask(ci)));

    const statuses = asked.map(({ status }) => status).sort();
    assert.deepEqual(statuses, [...Array(budget).fill('approved'), ...Array(calls - budget).fill('pending')]);
    const { used, state } = await grants.read(id);
    assert.deepEqual([used, state], [budget, 'used_up']);
  });
}

test('S-A-38: an ask falls through from a grant that is used up to the next one, the narrower first', async (t) => {
  const { ci, ask, grant } = await startSite(t);
  const org = await grant({ scope: 'org', max_calls: 1, expires_in: '1h' });
  const later = await grant({ sandbox: ci.sandbox?.id, max_calls: 1, expires_in: '3h' });
  const sooner = await grant({ sandbox: ci.sandbox?.id, max_calls: 1, expires_in: '2h' });

  const inTurn = [await ask(ci), await ask(ci), await ask(ci), await ask(ci)];
  assert.deepEqual(
    inTurn.map(({ approved_by }) => approved_by),
    [`grant:${sooner.id}`, `grant:${later.id}`, `grant:${org.id}`, null],
  );

  await grant({ scope: 'org', max_calls: 1 });
  await grant({ sandbox: ci.sandbox?.id, max_calls: 1 });
  const atOnce = await Promise.all([ask(ci), ask(ci), ask(ci)]);
  assert.deepEqual(atOnce.map(({ status }) => status).sort(), ['approved', 'approved', 'pending']);
});

test('S-A-40: wildcards cover every action, and a grant without a budget never is used up', async (t) => {
  const { ci, ask, grant, grants } = await startSite(t);
  const { id, max_calls } = await grant({ sandbox: ci.sandbox?.id, actions: ['*'], target: { fleet: true } });

  for (const action of ['prime', 'drain', 'prime']) assert.equal((await ask(ci, action)).status, 'approved');

  assert.equal(max_calls, null);
  const { used, state } = await grants.read(id);
  assert.deepEqual([used, state], [3, 'active']);
});

test('S-A-40: what was revoked or ran out approves nothing, and it is forgotten once', async (t) => {
  const clock = createTestClock();
  const { ci, ask, grant, grants, muster } = await startSite(t, { clock, config: { retention_age: '24h' } });
  const revoked = await grant({ sandbox: ci.sandbox?.id });
  await grants.revoke(ADA, revoked.id);
  const again = await grants.revoke(ADA, revoked.id);
  assert.deepEqual([again?.state, again?.revoked_by], ['revoked', 'ada']);
  assert.equal((await auditRows(muster.store, 'grant_revoked')).length, 1);
  const brief = await grant({ scope: 'org', expires_in: '1h' });
  const lasting = await grant({ scope: 'org', actions: ['drain'], expires_in: '720h' });
  clock.advance(HOUR_MS);

  assert.equal((await ask(ci)).status, 'pending');
  assert.equal((await grants.read(brief.id)).state, 'expired');
  assert.equal((await ask(ci, 'drain')).status, 'approved');

  clock.advance(25 * HOUR_MS);
  for (let n = 0; n < 2; n += 1) {
    await muster.core.tidy();
    const { items } = await grants.list('default', { limit: 10 });
    assert.deepEqual(
      items.map(({ id }) => id),
      [lasting.id],
    );
  }
});

test('the grants of a sandbox that is deleted are revoked with it, and no others', async (t) => {
  const { muster, ci, grant, grants } = await startSite(t);
  const { id } = await grant({ sandbox: ci.sandbox?.id });
  const { id: other } = await grant({ scope: 'org' });

  assert.ok(await muster.core.services.sandboxes.delete(ADA, ci.sandbox?.id ?? ''));

  const { state, revoked_by } = await grants.read(id);
  assert.deepEqual([state, revoked_by], ['revoked', 'ada']);
  assert.equal((await grants.read(other)).state, 'active');
  assert.ok((await muster.core.services.audit.verify({})).ok);
});

test('a grant that was made later than now, before the clock was set back, approves nothing', async (t) => {
  const clock = createTestClock();
  const { muster, ci, ask, grant, grants } = await startSite(t, { clock });
  clock.advance(HOUR_MS);
  const { id } = await grant({ scope: 'org' });
  clock.advance(-HOUR_MS + 1_000);

  assert.equal((await ask(ci)).status, 'pending');
  assert.equal((await grants.read(id)).state, 'expired');

  await muster.core.sweep();
  clock.advance(HOUR_MS);
  assert.equal((await ask(ci)).status, 'pending', 'also when the clock comes there');
  assert.deepEqual((await grants.read(id)).revoked_by, 'controller');
});

test('a grant is for what it names: another action, node or sandbox waits', async (t) => {
  const { muster, ci, ask, grant } = await startSite(t);
  const { principal: other } = await makeSandbox(muster, 'other');
  await grant({ sandbox: ci.sandbox?.id, target: { nodes: ['pump-1'] } });

  assert.equal((await ask(ci)).status, 'approved');
  assert.equal((await ask(ci, 'drain')).status, 'pending');
  assert.equal((await ask(ci, 'prime', { nodes: ['pump-2'] })).status, 'pending');
  assert.equal((await ask(ci, 'prime', { fleet: true })).status, 'pending');
  assert.equal((await ask(other)).status, 'pending');
  assert.equal((await ask(ANN)).status, 'pending');

  await grant({ scope: 'org' });
  for (const principal of [other, ANN]) assert.equal((await ask(principal)).status, 'approved');
});

test('what is dangerous is never granted, also where the policy names who may approve it', async (t) => {
  const { muster, ci, ask, grant } = await startSite(t);
  await grant({ scope: 'org', actions: ['*'] });
  const risks = [{ actions: ['melt'], risk: 'danger' }];

  await setPolicy(muster, { risks });
  await assertRejectsCode(ask(ci, 'melt'), 'denied_by_policy');
  await setPolicy(muster, { risks, access: [{ risks: ['danger'], approve: { role: 'admin' } }] });
  const asked = await ask(ci, 'melt');

  assert.equal(asked.status, 'pending');
  const wish = { scope: 'session', max_calls: null, expires_in: '1h' } as const;
  const { invocations, grants } = muster.core.services;
  const { id, digest } = asked;
  await assertRejectsCode(invocations.approve(ADA, id, { digest, grant: wish }), 'forbidden');
  assert.equal((await invocations.get('default', id))?.status, 'pending');
  assert.equal(await grants.ofInvocation('default', id), undefined);
});

test('the policy of the moment counts: what it denies, or somebody else has to approve, no grant approves', async (t) => {
  const { muster, ci, ask, grant } = await startSite(t);
  await grant({ scope: 'org' });
  assert.equal((await ask(ci)).status, 'approved');

  await setPolicy(muster, { access: [{ approve: { role: 'owner' } }] });
  assert.equal((await ask(ci)).status, 'pending', 'whoever made it may not approve it any more');
  await setPolicy(muster, { access: [{ ask: { role: 'operator' } }] });
  await assertRejectsCode(ask(ci), 'forbidden');
  await setPolicy(muster, { protected: [{ labels: { site: 'north' }, role: 'operator' }] });
  const asked = await muster.core.services.invocations.create(
    ANN,
    askFor({ nodes: ['pump-1'] }, { action: 'prime', reason: 'noise' }),
    BODY,
  );
  assert.equal(asked.invocation.status, 'pending', 'a protected node');
});

test('a distinct approver stays one: a grant does not approve what those behind it ask for', async (t) => {
  const { muster, ask, grant } = await startSite(t);
  await setPolicy(muster, { distinct_approver: true });
  await muster.core.services.people.createUser(OWNER, { id: 'ben', role: 'admin' });
  const { principal: own } = await makeSandbox(muster, 'owned'); // the owner was shown its token
  await grant({ scope: 'org' }, OWNER);

  assert.equal((await ask(OWNER)).status, 'pending');
  assert.equal((await ask(own)).status, 'pending');
  assert.equal((await ask({ ...ADA, id: 'ben' })).status, 'approved');
  await grant({ scope: 'org' });
  assert.equal((await ask(own)).status, 'approved');
});

for (const [change, apply] of [
  ['disabled', { disabled: true }],
  ['made an operator', { role: 'operator' }],
] as const) {
  test(`the grants of an admin who was ${change} approve nothing`, async (t) => {
    const { muster, ci, ask, grant } = await startSite(t);
    await grant({ scope: 'org' });

    await muster.core.services.people.changeUser(OWNER, 'ada', apply);

    assert.equal((await ask(ci)).status, 'pending');
  });
}

for (const [what, end] of [
  ['the word of its maker', ({ muster }) => muster.core.services.people.changeUser(OWNER, 'ada', { disabled: true })],
  ['the grant', ({ grants }, id) => grants.revoke(ADA, id)],
  [
    'the policy that let its maker approve',
    ({ muster }) => setPolicy(muster, { access: [{ approve: { role: 'owner' } }] }),
  ],
] as const satisfies readonly (readonly [what: string, end: (site: Site, id: string) => Promise<unknown>])[]) {
  test(`promise 19: an ask that was judged before ${what} ended, and is stored after it, waits`, async (t) => {
    const site = await startSite(t);
    const { ci, ask, grant, grants } = site;
    const { id } = await grant({ scope: 'org' });
    await ask(ci);

    const open = holdWriter(site);
    const ended = end(site, id);
    const asking = ask(ci);
    for (let turn = 0; turn < 100; turn += 1) await nextTurn(); // it is judged by what is committed
    open();
    const [, asked] = await Promise.all([ended, asking]);

    assert.equal(asked.status, 'pending');
    assert.equal((await grants.read(id)).used, 1);
  });
}

test('who has the name of a deleted admin since makes nothing of their grants', async (t) => {
  const clock = createTestClock();
  const { muster, ci, ask, grant } = await startSite(t, { clock });
  const { people } = muster.core.services;
  await grant({ scope: 'org' });
  await people.deleteUser(OWNER, 'ada');
  assert.equal((await ask(ci)).status, 'pending');
  clock.advance(1_000);
  await people.createUser(OWNER, { id: 'ada', role: 'admin' });

  assert.equal((await ask(ci)).status, 'pending');
});

test('only admins and owners make grants, for what is there, and 500 at most are active', async (t) => {
  const { muster, ci, grant } = await startSite(t);
  for (const principal of [ANN, ci]) await assertRejectsCode(grant({ scope: 'org' }, principal), 'forbidden');
  await assertRejectsCode(grant({ sandbox: '0197f0c2-9f5c-7b31-8e4a-6a0d5f1c2b3d' }), 'not_found');
  await assertRejectsCode(grant({ scope: 'org', target: { integration: 'sentry' } }), 'unknown_integration');
  await assertRejectsCode(grant({ scope: 'org', expires_in: '721h' }), 'invalid_request');
  const { id } = await grant({ scope: 'org', max_calls: 1 });
  for (let n = 1; n < 500; n += 1) await grant({ scope: 'org' });

  await assertRejectsCode(grant({ scope: 'org' }), 'conflict');
  await muster.core.services.grants.revoke(ADA, id);
  assert.equal((await grant({ scope: 'org' })).state, 'active');
});

type Site = Awaited<ReturnType<typeof startSite>>;

/** Writes wait, in the order in which they came, until the returned function is called. */
function holdWriter({ muster }: Site): () => void {
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  void muster.store.write(() => gate);
  return open;
}

async function startSite(
  t: TestScope,
  options: Pick<NonNullable<Parameters<typeof startTestCore>[1]>, 'clock' | 'config'> = {},
) {
  const muster = await startTestCore(t, options);
  const { services } = muster.core;
  await services.people.createUser(OWNER, { id: OWNER.id, role: 'owner' });
  await services.people.createUser(OWNER, { id: 'ann', role: 'operator' });
  await services.people.createUser(OWNER, { id: 'ada', role: 'admin' });
  for (const node of ['pump-1', 'pump-2']) {
    const script = { actions: ACTIONS };
    await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node, script });
  }
  await services.nodes.change(OWNER, 'pump-1', { labels: { site: 'north' } });
  const { principal: ci } = await makeSandbox(muster, 'ci');
  const ask = async (
    principal: Principal,
    action = 'prime',
    target: Parameters<typeof askFor>[0] = { nodes: ['pump-1'] },
  ): Promise<InvocationView> => {
    const confirm = principal.role !== 'sandbox' && principal.role !== 'operator';
    const { create } = services.seenBy(principal).invocations;
    return (await create(principal, askFor(target, { action, confirm }), BODY)).invocation;
  };
  const grant = (changes: object, by: Principal = ADA): Promise<GrantView> =>
    services.grants.create(by, CreateGrant.parse({ target: { fleet: true }, actions: ['prime'], ...changes }));
  const grants = {
    ...services.grants,
    async read(id: string): Promise<GrantView> {
      const view = await services.grants.get('default', id);
      assert.ok(view !== undefined);
      return view;
    },
  };
  return { muster, ci, ask, grant, grants };
}
