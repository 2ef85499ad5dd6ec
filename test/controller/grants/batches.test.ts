import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Principal } from '../../../controller/services.js';
import { askFor } from '../../support/asks.js';
import { auditRows } from '../../support/audit-rows.js';
import { OWNER, startTestCore, type TestCore } from '../../support/core.js';
import { setPolicy } from '../../support/policies.js';
import { PING, startScriptedAgent } from '../../support/scripted-agent.js';

const FLEET = { fleet: true } as const;
const BODY = { bodySha256: '1'.repeat(64) };
const ANN: Principal = { id: 'ann', org: 'default', role: 'operator' };
const PROTECTED = { labels: { site: 'north' }, role: 'operator' };

/** What happens between two batches, after which somebody would have to look. */
const CHANGES: readonly (readonly [what: string, change: (muster: TestCore) => Promise<unknown>])[] = [
  [
    'has become dangerous',
    (muster) =>
      setPolicy(muster, {
        risks: [{ actions: ['prime'], risk: 'danger' }],
        access: [{ risks: ['danger'], approve: { role: 'admin' } }],
      }),
  ],
  [
    'is for a node that has become protected',
    async (muster) => {
      await muster.core.services.nodes.change(OWNER, 'b', { labels: { site: 'north' } });
      await setPolicy(muster, { protected: [PROTECTED] });
    },
  ],
];

for (const [what, change] of CHANGES) {
  test(`what a grant has approved stops before a batch that ${what}`, async (t) => {
    const muster = await startTestCore(t);
    const { services } = muster.core;
    const { brokerUrl } = muster;
    const script = { actions: [{ ...PING, name: 'prime' }] };
    const a = await startScriptedAgent(t, { services, brokerUrl, node: 'a', script });
    const b = await startScriptedAgent(t, { services, brokerUrl, node: 'b', script });
    await services.people.createUser(OWNER, { id: OWNER.id, role: 'owner' });
    await services.people.createUser(OWNER, { id: ANN.id, role: 'operator' });
    const { id: grant } = await services.grants.create(OWNER, {
      scope: 'org',
      target: FLEET,
      actions: ['prime'],
      max_calls: 1,
      expires_in: '1h',
    });
    const ask = askFor(FLEET, { action: 'prime', reason: 'noise', batch: { size: 1, max_failed: 0 } });
    const { id, approved_by } = (await services.invocations.create(ANN, ask, BODY)).invocation;
    assert.equal(approved_by, `grant:${grant}`);
    const offered = await a.nextOffer();

    await change(muster);
    await a.result(offered);
    const done = await services.invocations.whenDone('default', id, { ms: 5_000 });

    assert.equal(done?.status, 'failed');
    const [stop] = await auditRows(muster.store, 'rollout_stopped');
    assert.match(JSON.stringify(stop?.details), /what no grant approves/);
    assert.equal(b.offers.length, 0);
  });
}
