import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ensureOwnerToken, principalOf } from '../../../controller/identity/api-tokens.js';
import { openStore } from '../../../controller/store/store.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

test('the owner token is made once and speaks for the owner', async (t) => {
  const store = await openStore(temporaryDirectory(t));
  t.after(store.close);

  const token = await ensureOwnerToken(store, 'default', Date.now());
  assert.ok(token);
  assert.equal(await ensureOwnerToken(store, 'default', Date.now()), undefined);

  const { id, org, role } = (await principalOf(store, token, Date.now())) ?? {};
  assert.deepEqual({ id, org, role }, { id: 'owner', org: 'default', role: 'owner' });
});

test('a wrong secret, an unknown id and anything else speak for nobody', async (t) => {
  const store = await openStore(temporaryDirectory(t));
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
  const directory = temporaryDirectory(t);
  const store = await openStore(directory);
  const token = (await ensureOwnerToken(store, 'default', Date.now())) ?? '';
  await store.close();

  const secret = token.split('_')[2] ?? '';
  assert.equal(secret.length, 64);
  assert.ok(!readFileSync(join(directory, 'muster.db')).includes(secret));
});
