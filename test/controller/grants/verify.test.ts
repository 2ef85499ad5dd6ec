import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GrantRow } from '../../../controller/grants/rows.js';
import { CreateGrant } from '../../../controller/http/grant-schemas.js';
import { askFor } from '../../support/asks.js';
import { OWNER, startTestCore } from '../../support/core.js';
import { makeSandbox } from '../../support/sandboxes.js';
import { startScriptedAgent } from '../../support/scripted-agent.js';
import { createTestClock } from '../../support/test-clock.js';

const PRIME = { name: 'prime', description: 'changes something', parameters: [] };

/** What somebody with the database might do, and what is found. */
const HARMS: readonly (readonly [change: Partial<GrantRow>, finding: RegExp])[] = [
  [{ actions: '["*"]' }, /approves other asks/],
  [{ max_calls: null }, /approves other asks/],
  [{ expires_at: Date.now() }, /approves other asks/],
  [{ created_by: 'ada' }, /approves other asks/],
  [{ definitions: null }, /approves other asks/],
  [{ org: 'other' }, /of another org/],
  [{ used: 0 }, /was used 0 times, and the trail tells of 1/],
  [{ revoked_at: null, revoked_by: null }, /otherwise whether it was revoked/],
];

test('a grant that was made, widened or given its budget back behind the controller is found by verify', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  await services.people.createUser(OWNER, { id: OWNER.id, role: 'owner' });
  const script = { actions: [PRIME] };
  await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1', script });
  const { principal } = await makeSandbox(muster, 'ci');
  const ask = CreateGrant.parse({ scope: 'org', target: { fleet: true }, actions: ['prime'], max_calls: 2 });
  const { id } = await services.grants.create(OWNER, ask);
  const wanted = askFor({ nodes: ['pump-1'] }, { action: 'prime' });
  await services.invocations.create(principal, wanted, { bodySha256: '1'.repeat(64) });
  await services.grants.revoke(OWNER, id);
  const findings = async (): Promise<string[]> => {
    const report = await services.audit.verify({});
    return report.findings.filter(({ subject }) => subject.startsWith('grant:')).map(({ detail }) => detail);
  };
  const row = await muster.store.read.selectFrom('grants').selectAll().executeTakeFirstOrThrow();
  const set = (change: Partial<GrantRow>) => muster.store.write((tx) => tx.updateTable('grants').set(change).execute());
  assert.deepEqual(await findings(), []);

  for (const [change, finding] of HARMS) {
    await set(change);
    const found = await findings();
    assert.equal(found.length, 1, JSON.stringify(change));
    assert.match(found[0] ?? '', finding);
    await set(row);
  }
  const forged = { ...row, id: '0197f0c2-9f5c-7b31-8e4a-6a0d5f1c2b3d', created_at: row.created_at + 1 };
  await muster.store.write((tx) => tx.insertInto('grants').values(forged).execute());
  assert.deepEqual(await findings(), ['no row of the audit trail tells of it']);
});

test('a forged grant that says it is older than the trail is found by how long it is good for', async (t) => {
  const clock = createTestClock();
  const muster = await startTestCore(t, { clock, config: { audit_retention_age: '24h', retention_age: '24h' } });
  const { services } = muster.core;
  await services.people.createUser(OWNER, { id: OWNER.id, role: 'owner' });
  const ask = CreateGrant.parse({ scope: 'org', target: { fleet: true }, actions: ['prime*'], expires_in: '720h' });
  await services.grants.create(OWNER, ask);
  clock.advance(48 * 3_600_000);
  await muster.core.tidy();
  await services.people.createUser(OWNER, { id: 'ada', role: 'admin' });
  const row = await muster.store.read.selectFrom('grants').selectAll().executeTakeFirstOrThrow();
  const findings = async () => (await services.audit.verify({})).findings.map(({ detail }) => detail);
  assert.deepEqual(await findings(), [], 'its row of the trail is gone by age');

  const forged = { ...row, id: '0197f0c2-9f5c-7b31-8e4a-6a0d5f1c2b3d', expires_at: clock.nowMs() + 2_000_000_000_000 };
  await muster.store.write((tx) => tx.insertInto('grants').values(forged).execute());

  assert.deepEqual(await findings(), ['it is good for longer than any grant may be']);
});
