import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from 'kysely';
import { ensureOwnerToken, principalOf } from '../../../controller/identity/api-tokens.js';
import { openStore } from '../../../controller/store/store.js';
import { storePlace } from '../../support/store-place.js';

test('the owner token is made once and speaks for the owner', async (t) => {
  const store = await openStore(await storePlace(t));
  t.after(store.close);

  const token = await ensureOwnerToken(store, 'default', Date.now());
  assert.ok(token);
  assert.equal(await ensureOwnerToken(store, 'default', Date.now()), undefined);

  const { id, org, role } = (await principalOf(store, token, Date.now())) ?? {};
  assert.deepEqual({ id, org, role }, { id: 'owner', org: 'default', role: 'owner' });
});

test('a wrong secret, an unknown id and anything else speak for nobody', async (t) => {
  const store = await openStore(await storePlace(t));
  t.after(store.close);
  const token = (await ensureOwnerToken(store, 'default', Date.now())) ?? '';

  const wrongSecret = `${token.slice(0, -1)}${token.endsWith('0') ? '1' : '0'}`;
  for (const bearer of [
    wrongSecret,
    token.replace(/^mst_./, 'mst_z'),
    '',
    'mst_',
    `${token}0`,
    `${token}\n`,
    'x'.repeat(10_000),
  ]) {
    assert.equal(await principalOf(store, bearer, Date.now()), undefined);
  }
});

test('the secret of a token is nowhere in the store', async (t) => {
  const store = await openStore(await storePlace(t));
  t.after(store.close);
  const token = (await ensureOwnerToken(store, 'default', Date.now())) ?? '';

  const tables = await store.read.introspection.getTables();
  const stored = await Promise.all(
    tables.map(({ name }) => sql`select * from ${sql.table(name)}`.execute(store.read).then(({ rows }) => rows)),
  );

  const [, id = '', secret = ''] = token.split('_');
  assert.equal(secret.length, 64);
  assert.ok(JSON.stringify(stored).includes(id));
  assert.ok(!JSON.stringify(stored).includes(secret));
});
