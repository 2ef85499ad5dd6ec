import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from 'kysely';
import { appendAudit, auditHash, firstBrokenAuditRow } from '../../../controller/store/audit.js';
import { openStore, type Store } from '../../../controller/store/store.js';
import type { TestScope } from '../../support/broker.js';
import { storePlace } from '../../support/store-place.js';

test('an untouched audit trail holds, over many commits and long batches', async (t) => {
  const store = await storeWithAudit(t, 1_200);
  assert.equal(await firstBrokenAuditRow(store.read), undefined);
});

test('an altered audit row is found', async (t) => {
  const store = await storeWithAudit(t, 10);
  await store.write((tx) => tx.updateTable('audit').set({ actor: 'somebody else' }).where('seq', '=', 4).execute());
  assert.equal(await firstBrokenAuditRow(store.read), 4);
});

test('a removed audit row is found', async (t) => {
  const store = await storeWithAudit(t, 10);
  await store.write((tx) => tx.deleteFrom('audit').where('seq', '=', 4).execute());
  assert.equal(await firstBrokenAuditRow(store.read), 5);
});

test('an inserted audit row is found, even with a hash that fits it', async (t) => {
  const store = await storeWithAudit(t, 10);
  await store.write(async (tx) => {
    const rows = await tx.selectFrom('audit').selectAll().orderBy('seq').execute();
    const [fourth] = rows.slice(3, 4);
    assert.ok(fourth);
    const forged = { ...fourth, subject: 'node:intruder' };
    await sql`delete from audit where seq = 4`.execute(tx);
    await tx
      .insertInto('audit')
      .values({ ...forged, hash: auditHash(forged) })
      .execute();
  });
  assert.equal(await firstBrokenAuditRow(store.read), 5);
});

test('an audit row stands and falls with the change that it tells of (promise 21)', async (t) => {
  const store = await storeWithAudit(t, 1);
  await assert.rejects(
    store.write(async (tx) => {
      await appendAudit(tx, [entry(2)]);
      throw new Error('the change failed');
    }),
  );
  assert.equal((await store.read.selectFrom('audit').selectAll().execute()).length, 1);
});

async function storeWithAudit(t: TestScope, count: number): Promise<Store> {
  const store = await openStore(await storePlace(t));
  t.after(store.close);
  const half = Math.floor(count / 2);
  const entries = Array.from({ length: count }, (_, index) => entry(index));
  await store.write((tx) => appendAudit(tx, entries.slice(0, half)));
  await store.write((tx) => appendAudit(tx, entries.slice(half)));
  return store;
}

function entry(index: number) {
  return { atMs: 1_000 + index, org: 'default', actor: 'owner', event: 'tested', subject: `thing:${index}` };
}
