import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Role } from '../../../controller/services.js';
import { askFor } from '../../support/asks.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER, startTestCore, type TestCore } from '../../support/core.js';
import { enrollNode, PING, type ScriptedAgent, startScriptedAgent } from '../../support/scripted-agent.js';
import { until } from '../../support/until.js';

const BODY = { bodySha256: '1'.repeat(64) };
const FLEET = { fleet: true } as const;
const WIPE = { name: 'wipe', description: '', parameters: [], risk: 'danger' as const };
const PRIME = { name: 'prime', description: '', parameters: [] };

test('a preview says who, how many and who is away, and stores nothing', async (t) => {
  const { muster, away } = await startFleet(t);
  const { invocations } = muster.core.services;

  const seen = await invocations.preview(OWNER, askFor(FLEET, { expires_in: '90m' }));

  assert.deepEqual(seen.counts, { total: 4, online: 2, offline: 1, never_seen: 1, without_action: 1 });
  assert.deepEqual(
    seen.nodes.map(({ node, state, offers_action }) => [node, state, offers_action]),
    [
      [away.node, 'offline', true],
      ['never', 'never_seen', false],
      ['a', 'online', true],
      ['b', 'online', true],
    ],
  );
  assert.deepEqual([seen.risk, seen.timeout, seen.expires_in, seen.nodes_left_out], ['read', '30s', '1h30m', 0]);
  assert.deepEqual(seen.decision, { kind: 'approved', code: null, detail: null });
  assert.deepEqual((await invocations.list('default', { limit: 10 })).items, []);
});

test('labels select the nodes that carry every one of them', async (t) => {
  const { muster } = await startFleet(t);
  const countOf = async (labels: Record<string, string>): Promise<number> =>
    (await muster.core.services.invocations.preview(OWNER, askFor({ labels }))).counts.total;

  assert.equal(await countOf({ site: 'north' }), 2);
  assert.equal(await countOf({ site: 'north', tier: '1' }), 1);
  await assertRejectsCode(countOf({ site: 'north', tier: '2' }), 'no_target');
  await assertRejectsCode(countOf({ constructor: 'x' }), 'no_target');
});

test('a preview says what the policy would: A-3 read runs, A-4 write waits, A-5 danger is denied', async (t) => {
  const { muster } = await startFleet(t);
  const { invocations } = muster.core.services;
  const decide = async (role: Role, action: string, confirm = false) =>
    (await invocations.preview({ id: role, org: 'default', role }, askFor(FLEET, { action, confirm }))).decision;

  assert.equal((await decide('operator', 'ping')).kind, 'approved');
  assert.equal((await decide('operator', 'prime')).kind, 'pending');
  assert.equal((await decide('operator', 'wipe')).kind, 'denied');
  assert.deepEqual(
    [(await decide('admin', 'prime')).code, (await decide('admin', 'prime', true)).kind],
    ['confirmation_required', 'approved'],
  );
});

test('an ask with the digest of a preview gets what was shown, and is refused once that has changed', async (t) => {
  const { muster, brokerUrl } = await startFleet(t);
  const { services } = muster.core;
  const { invocations } = services;
  const { digest } = await invocations.preview(OWNER, askFor(FLEET));

  const { invocation } = await invocations.create(OWNER, askFor(FLEET, { digest }), BODY);
  assert.deepEqual([invocation.digest, invocation.counts.total], [digest, 4]);

  await startScriptedAgent(t, { services, brokerUrl, node: 'new' });
  await assertRejectsCode(invocations.create(OWNER, askFor(FLEET, { digest }), BODY), 'plan_changed');
  await assertRejectsCode(
    invocations.create(OWNER, askFor(FLEET, { digest, parameters: { x: 1 } }), BODY),
    'invalid_parameter',
  );
  assert.equal((await invocations.list('default', { limit: 10 })).items.length, 1);
});

test('a repeated ask gets its first answer, whatever its digest would say now (promise 2)', async (t) => {
  const { muster, brokerUrl } = await startFleet(t);
  const { services } = muster.core;
  const { digest } = await services.invocations.preview(OWNER, askFor(FLEET));
  const once = { ...BODY, idempotencyKey: 'k' };
  const first = await services.invocations.create(OWNER, askFor(FLEET, { digest }), once);

  await startScriptedAgent(t, { services, brokerUrl, node: 'new' });
  const again = await services.invocations.create(OWNER, askFor(FLEET, { digest }), once);

  assert.deepEqual([again.invocation.id, again.replayed], [first.invocation.id, true]);
});

/** Two nodes that are there, one that has left and one that never came. */
async function startFleet(t: TestScope): Promise<{ muster: TestCore; brokerUrl: string; away: ScriptedAgent }> {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const { brokerUrl } = muster;
  const actions = [PING, PRIME, WIPE];
  const start = (node: string, labels: Record<string, string>): Promise<ScriptedAgent> =>
    startScriptedAgent(t, { services, brokerUrl, node, script: { actions, labels } });
  await start('a', { site: 'north', tier: '1' });
  await start('b', { site: 'south', tier: '2' });
  const away = await start('c', { site: 'north' });
  await enrollNode(services, 'never');
  await away.goOffline();
  await until(async () => (await services.nodes.get('default', 'c'))?.state === 'offline', { what: 'offline' });
  return { muster, brokerUrl, away };
}
