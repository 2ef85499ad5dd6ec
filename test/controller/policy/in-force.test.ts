import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CreateInvocation, InvocationView } from '../../../controller/http/schemas.js';
import type { Principal } from '../../../controller/services.js';
import { firstBrokenAuditRow } from '../../../controller/store/audit.js';
import { askFor } from '../../support/asks.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { auditRows } from '../../support/audit-rows.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER, startTestCore, type TestCore } from '../../support/core.js';
import { setPolicy } from '../../support/policies.js';
import { type AgentScript, type ScriptedAgent, startScriptedAgent } from '../../support/scripted-agent.js';

const ANN: Principal = { id: 'ann', org: 'default', role: 'operator' };
const ADA: Principal = { id: 'ada', org: 'default', role: 'admin' };
const BODY = { bodySha256: '1'.repeat(64) };
const ACTIONS = ['prime', 'gather_info'].map((name) => ({ name, description: '', parameters: [] }));

test('A-3, A-35, S-A-1: reading runs without anybody, as shipped', async (t) => {
  const { muster } = await startPair(t, true);
  const { invocations } = muster.core.services;

  const { id, approved_by } = await ask(muster, { action: 'gather_info' });

  assert.equal(approved_by, 'policy');
  assert.equal((await invocations.whenDone('default', id, { ms: 10_000 }))?.status, 'completed');
});

test('A-5, A-34, S-A-2: danger is denied at once, stored and never offered', async (t) => {
  const { muster, agent } = await startPair(t);
  await setPolicy(muster, { risks: [{ actions: ['prime'], risk: 'danger' }] });

  await assertRejectsCode(ask(muster, { confirm: true }, OWNER), 'denied_by_policy');

  const { items } = await muster.core.services.invocations.list('default', { limit: 10 });
  assert.deepEqual(
    items.map(({ status, risk }) => [status, risk]),
    [['denied', 'danger']],
  );
  assert.equal(agent.offers.length, 0);
});

test('a new policy holds for the next ask, for what is listed and for a preview, and every version is kept', async (t) => {
  const { muster } = await startPair(t);
  const { policy, nodes, invocations } = muster.core.services;
  assert.equal((await policy.read('default')).version, 0);

  await setPolicy(muster, { risks: [{ actions: ['pri*'], risk: 'read' }] });

  assert.equal((await ask(muster)).status, 'approved');
  assert.equal((await nodes.actions('default')).find(({ name }) => name === 'prime')?.risk, 'read');
  assert.equal((await invocations.preview(ANN, asking({}))).decision.kind, 'approved');
  await setPolicy(muster, {});
  assert.equal((await ask(muster)).status, 'pending');
  const versions = await policy.versions('default', { limit: 1 });
  assert.deepEqual([versions.items[0]?.version, versions.items[0]?.created_by], [2, 'owner']);
  const rest = await policy.versions('default', { limit: 5, cursor: versions.next_cursor ?? '' });
  assert.deepEqual([rest.items.map(({ version }) => version), rest.next_cursor], [[1], null]);
  assert.equal((await policy.readVersion('default', 1))?.policy.risks[0]?.actions[0], 'pri*');
  assert.equal((await policy.readVersion('default', 0))?.source, 'shipped');
  assert.equal(await policy.readVersion('default', 3), undefined);
  assert.equal(await policy.readVersion('other', 1), undefined);
});

test('what the policy of before refuses is judged by the one of now', async (t) => {
  const { muster } = await startPair(t);
  await setPolicy(muster, { access: [{ ask: { users: ['bob'] } }] });
  await assertRejectsCode(ask(muster), 'forbidden');

  await setPolicy(muster, {});

  assert.equal((await ask(muster)).status, 'pending');
});

test('promise 21: a change of the policy has its audit row, the same policy again is no change', async (t) => {
  const { muster } = await startPair(t);
  await setPolicy(muster, { distinct_approver: true });
  await setPolicy(muster, { distinct_approver: true });

  const rows = await auditRows(muster.store, 'policy_changed');

  const { sha256 } = await muster.core.services.policy.read('default');
  assert.deepEqual(
    rows.map(({ actor, subject, details }) => ({ actor, subject, details })),
    [{ actor: 'owner', subject: 'policy:1', details: { source: 'api', sha256, replaces: 0 } }],
  );
  assert.equal(await firstBrokenAuditRow(muster.store.read), undefined);
});

test('an approval time with a part of a millisecond is stored as whole ones, which PostgreSQL wants', async (t) => {
  const { muster } = await startPair(t);
  await setPolicy(muster, { approval_time: '60000.5ms' });

  const { id } = await ask(muster);

  const { expires_at, status } = await muster.store.read
    .selectFrom('invocations')
    .select(['expires_at', 'status'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  assert.deepEqual([status, Number.isInteger(expires_at)], ['pending', true]);
});

test('of two who replace the same version one does', async (t) => {
  const { muster } = await startPair(t);
  const { policy } = muster.core.services;
  const { policy: shipped } = await policy.read('default');

  const answers = await Promise.allSettled(
    ['6m', '7m'].map((approval_time) =>
      policy.replace(OWNER, { ...shipped, approval_time }, (version) => version === 0),
    ),
  );

  assert.deepEqual(answers.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  assert.equal((await policy.read('default')).version, 1);
});

test('promise 19: who may approve is read again at the approval', async (t) => {
  const { muster } = await startPair(t);
  const { invocations } = muster.core.services;
  const { id, digest } = await ask(muster);
  await setPolicy(muster, { access: [{ approve: { role: 'owner' } }] });

  await assertRejectsCode(invocations.approve(ADA, id, { digest }), 'forbidden');

  assert.equal((await invocations.get('default', id))?.status, 'pending');
  assert.equal((await invocations.approve(OWNER, id, { digest }))?.status, 'approved');
});

test('promise 19: what the policy forbids its asker by now is denied at the approval', async (t) => {
  for (const policy of [
    { access: [{ ask: { role: 'admin' } }] },
    { protected: [{ labels: { site: 'north' } }] },
    { risks: [{ actions: ['prime'], risk: 'danger' }] },
  ]) {
    const { muster, agent } = await startPair(t);
    const { invocations } = muster.core.services;
    const { id, digest } = await ask(muster);
    await setPolicy(muster, policy);

    const answers = await Promise.allSettled(
      [ADA, OWNER, ADA, OWNER].map((principal) => invocations.approve(principal, id, { digest })),
    );

    assert.ok(answers.every(({ status }) => status === 'rejected'));
    const { status, error } = (await invocations.get('default', id)) ?? {};
    assert.deepEqual([status, error?.split(':', 1)[0]], ['denied', 'policy_revalidated_deny']);
    const denials = await auditRows(muster.store, 'invocation_denied');
    assert.deepEqual(
      denials.map(({ actor, details }) => ({ actor, details })),
      [{ actor: 'policy', details: { digest, reason: 'policy_revalidated_deny', policy: 1 } }],
    );
    assert.equal(agent.offers.length, 0);
  }
});

test('danger that the policy lets others approve waits, and never for who asked alone', async (t) => {
  const { muster, agent } = await startPair(t);
  const { invocations } = muster.core.services;
  await setPolicy(muster, {
    risks: [{ actions: ['prime'], risk: 'danger' }],
    access: [{ actions: ['prime'], risks: ['danger'], approve: { users: ['ada', 'owner'] } }],
  });
  const { id, digest, status } = await ask(muster, { confirm: true }, OWNER);

  assert.equal(status, 'pending');
  await assertRejectsCode(invocations.approve(OWNER, id, { digest }), 'forbidden');
  await assertRejectsCode(invocations.approve({ ...ADA, id: 'bob' }, id, { digest }), 'forbidden');
  assert.equal((await invocations.approve(ADA, id, { digest }))?.status, 'approved');
  assert.equal((await agent.nextOffer()).request.action, 'prime');
});

test('what changes a protected node needs an admin and a reason', async (t) => {
  const { muster } = await startPair(t);
  await setPolicy(muster, { protected: [{ labels: { site: 'north' } }] });

  await assertRejectsCode(ask(muster, { reason: 'ticket 1' }), 'forbidden');
  await assertRejectsCode(ask(muster, {}, OWNER), 'reason_required');

  assert.equal((await ask(muster, { reason: 'ticket 1' }, OWNER)).status, 'approved');
  assert.equal((await ask(muster, { action: 'gather_info' })).status, 'approved');
  assert.equal((await muster.core.services.invocations.list('default', { limit: 10 })).items.length, 2);
});

test('the policy says how long an ask waits', async (t) => {
  const { muster } = await startPair(t);
  await setPolicy(muster, { approval_time: '10s' });

  const { created_at, expires_at } = await ask(muster);

  assert.equal(Date.parse(expires_at) - Date.parse(created_at), 10_000);
});

test('no ask is stored by a policy that was replaced before its commit', async (t) => {
  const { muster } = await startPair(t);
  const lax = { risks: [{ actions: ['prime'], risk: 'read' }] };
  const strict = { risks: [{ actions: ['prime'], risk: 'danger' }] };
  await setPolicy(muster, lax);

  const asks: Promise<unknown>[] = [];
  for (let round = 0; round < 20; round += 1) {
    asks.push(...Array.from({ length: 5 }, () => ask(muster, {}, OWNER)));
    const change = setPolicy(muster, round % 2 === 0 ? strict : lax);
    asks.push(...Array.from({ length: 5 }, () => ask(muster, {}, OWNER)));
    await change;
  }
  await Promise.allSettled(asks);

  const rows = await muster.store.read.selectFrom('audit').select(['event', 'subject']).orderBy('seq').execute();
  let allowed = '';
  for (const { event, subject } of rows) {
    if (event === 'policy_changed') allowed = isLax(subject) ? 'invocation_created' : 'invocation_denied';
    else if (event.startsWith('invocation_')) assert.equal(event, allowed);
  }
  assert.equal(rows.filter(({ event }) => event.startsWith('invocation_')).length, 200);
});

/** The versions with odd numbers let it run. */
function isLax(subject: string): boolean {
  return Number(subject.slice('policy:'.length)) % 2 === 1;
}

async function startPair(t: TestScope, runs = false): Promise<{ muster: TestCore; agent: ScriptedAgent }> {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  await services.people.createUser(OWNER, { id: 'ann', role: 'operator' });
  const script: AgentScript = { runs, actions: ACTIONS, labels: { site: 'north' } };
  await muster.store.write((tx) =>
    tx
      .insertInto('users')
      .values({
        ...{ org: 'default', id: 'owner', role: 'owner', password_hash: null, created_at: 0, created_by: 'controller' },
        disabled_at: null,
      })
      .execute(),
  );
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1', script });
  return { muster, agent };
}

function asking(changes: Partial<CreateInvocation>): CreateInvocation {
  return askFor({ nodes: ['pump-1'] }, { action: 'prime', ...changes });
}

async function ask({ core }: TestCore, changes: Partial<CreateInvocation> = {}, by = ANN): Promise<InvocationView> {
  return (await core.services.invocations.create(by, asking(changes), BODY)).invocation;
}
