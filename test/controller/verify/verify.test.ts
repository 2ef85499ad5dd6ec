import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appendAudit } from '../../../controller/store/audit.js';
import type { Queries } from '../../../controller/store/database.js';
import { invoke } from '../../support/asks.js';
import { auditRows } from '../../support/audit-rows.js';
import { OWNER, type TestCore } from '../../support/core.js';
import { copyOf, harmed, type Site, startSite, verify } from '../../support/harmed-store.js';
import { startScriptedAgent } from '../../support/scripted-agent.js';
import { HARMS } from './harms.js';

test('promise 21: verify finds what somebody did to the file, and names it', async (t) => {
  const site = await startSite(t);
  await site.muster.stop();
  const clean = await verify(site);
  assert.deepEqual([clean.findings, clean.ok], [[], true]);
  assert.ok(clean.checked.results === 2 && clean.checked.invocations === 3, JSON.stringify(clean.checked));

  for (const { what, harm, found } of HARMS) {
    await t.test(`${what} is found`, async () => {
      const undo = await harmed(site, harm);
      const report = await verify(site);
      assert.equal(report.ok, false);
      assert.match(
        report.findings.map(({ check, subject, detail }) => `${check} ${subject}: ${detail}`).join('\n'),
        found,
      );
      await undo();
      assert.equal((await verify(site)).ok, true, 'the harm was undone');
    });
  }
});

/** What somebody does to the trail, and what the controller writes into it when it signs its end anew. */
const DAMAGES: readonly Readonly<{
  what: string;
  harm: (tx: Queries, at: Site) => Promise<unknown>;
  reason: string;
}>[] = [
  {
    what: 'that was cut short',
    harm: (tx, { last }) =>
      tx
        .deleteFrom('audit')
        .where('seq', '>', last - 2)
        .execute(),
    reason: 'rows_gone',
  },
  {
    what: 'to which somebody added a row with a hash that fits',
    harm: (tx) => appendAudit(tx, [{ atMs: 1, org: 'default', actor: 'eve', event: 'tested', subject: 'x' }]),
    reason: 'rows_added',
  },
  {
    what: 'whose first rows are gone, with a row of their going that somebody added',
    harm: async (tx) => {
      const third = await tx.selectFrom('audit').selectAll().where('seq', '=', 3).executeTakeFirstOrThrow();
      await tx.deleteFrom('audit').where('seq', '<=', 3).execute();
      const details = { through: 3, hash: third.hash, rows: 3 };
      const entry = { atMs: 1, org: 'default', actor: 'controller', event: 'audit_cut', subject: 'audit', details };
      await appendAudit(tx, [entry]);
    },
    reason: 'rows_added',
  },
  {
    what: 'of which nothing is left, not even its signature',
    harm: async (tx) => {
      await tx.deleteFrom('audit').execute();
      await tx.deleteFrom('meta').where('key', '=', 'audit_head').execute();
    },
    reason: 'unsigned',
  },
];

for (const { what, harm, reason } of DAMAGES) {
  test(`promise 21: a controller that starts on a trail ${what} says so in it, and goes on`, async (t) => {
    const site = await startSite(t);
    const { muster } = site;
    await muster.stop();
    await harmed(site, harm);

    await muster.start();
    await muster.core.services.nodes.change(OWNER, 'pump-1', { groups: ['later'] });

    await assertDamage(muster, reason);
  });

  test(`promise 21: a controller that works on a trail ${what} says so in it with its next change`, async (t) => {
    const site = await startSite(t);
    const { muster } = site;
    await harmed(site, harm);

    await muster.core.services.nodes.change(OWNER, 'pump-1', { groups: ['later'] });
    await muster.core.services.nodes.change(OWNER, 'pump-1', { groups: ['again'] });

    await assertDamage(muster, reason);
  });
}

test('a controller under which the trail is put back to an older end notices, although that one was signed', async (t) => {
  const site = await startSite(t);
  const { muster, last } = site;
  const copy = await copyOf(muster.store.read);
  await muster.core.services.nodes.change(OWNER, 'pump-1', { groups: ['later'] });
  const meta = copy.find(({ table }) => table === 'meta')?.rows ?? [];
  await harmed(site, async (tx) => {
    await tx.deleteFrom('audit').where('seq', '>', last).execute();
    await tx.deleteFrom('meta').execute();
    for (const row of meta) await tx.insertInto('meta').values(row).execute();
  });

  await muster.core.services.nodes.change(OWNER, 'pump-1', { groups: ['again'] });

  await assertDamage(muster, 'rolled_back');
});

async function assertDamage({ store, core }: TestCore, reason: string): Promise<void> {
  const rows = await auditRows(store, 'audit_damaged');
  assert.deepEqual(
    rows.map(({ details }) => Object(details).reason),
    [reason],
  );
  const report = await core.services.audit.verify({});
  assert.equal(report.ok, false);
  assert.match(
    report.findings.map(({ detail }) => detail).join('\n'),
    new RegExp(`did not find the end as it had signed it: .*${reason}`),
  );
}

test('a point of the trail that was kept elsewhere shows a store that was put back to an older copy', async (t) => {
  const site = await startSite(t);
  const { muster } = site;
  const { head } = await muster.core.services.audit.verify({});
  assert.ok(head !== null);
  await muster.core.services.nodes.change(OWNER, 'pump-1', { groups: ['later'] });
  const later = await muster.core.services.audit.verify({});
  await muster.stop();

  assert.equal((await verify(site, head)).ok, true);
  assert.equal((await verify(site, later.head ?? head)).ok, true);
  const undone = { seq: (later.head?.seq ?? 0) + 1, hash: 'a'.repeat(64) };
  assert.match((await verify(site, undone)).findings[0]?.detail ?? '', /not there, or not with the hash that you kept/);
  assert.equal((await verify(site, { ...head, hash: 'a'.repeat(64) })).ok, false);
});

test('a controller that works verifies itself meanwhile, one at a time', async (t) => {
  const { muster } = await startSite(t);
  const { audit, invocations } = muster.core.services;

  const reports = Promise.all([audit.verify({}), audit.verify({}).catch((error: unknown) => error)]);
  for (let count = 0; count < 20; count += 1) await invoke(invocations, { nodes: ['pump-1'] });
  const [report, refused] = await reports;

  assert.deepEqual(report.findings, []);
  assert.match(String(refused), /Somebody is verifying already/);
  assert.deepEqual((await audit.verify({})).findings, []);
});

test('what a node that was removed had reported still holds, also when its name has another key', async (t) => {
  const { muster } = await startSite(t);
  const { services } = muster.core;
  await services.nodes.remove(OWNER, 'pump-1');
  await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });

  assert.deepEqual((await services.audit.verify({})).findings, []);
});
