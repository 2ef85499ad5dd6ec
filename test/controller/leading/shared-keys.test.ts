import assert from 'node:assert/strict';
import { cpSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Keyring, startKeyring } from '../../../controller/identity/keyring.js';
import { startSharedKeyring } from '../../../controller/identity/shared-keys.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { createDatabase, runStatement, startPostgres } from '../../support/postgres.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

test('a controller starts on a shared store with the keys of the store, and with no others', async (t) => {
  const server = await startPostgres(t);
  if (server === undefined) return t.skip('PostgreSQL is not installed');
  const url = await createDatabase(t, server.url);
  const first = temporaryDirectory(t);
  const keyring = await shared(t, url, first);

  const empty = temporaryDirectory(t);
  await assertRejectsCode(shared(t, url, empty), 'unsafe_key');
  assert.ok(!existsSync(join(empty, 'signing.key')), 'it makes none');

  const foreign = temporaryDirectory(t);
  startKeyring({ directory: foreign, ...REST }).stop();
  await assertRejectsCode(shared(t, url, foreign), 'unsafe_key');

  const second = temporaryDirectory(t);
  cpSync(first, second, { recursive: true });
  assert.equal((await shared(t, url, second)).keys.signing.kid, keyring.keys.signing.kid);
});

test('a new signing key is taken while no controller leads, and then the old one is refused', async (t) => {
  const server = await startPostgres(t);
  if (server === undefined) return t.skip('PostgreSQL is not installed');
  const url = await createDatabase(t, server.url);
  const [directory, former] = [temporaryDirectory(t), temporaryDirectory(t)];
  await shared(t, url, directory);
  cpSync(directory, former, { recursive: true });
  rmSync(join(directory, 'signing.key'));
  startKeyring({ directory, ...REST }).stop(); // as an operator who replaces it: a list with the new one alone

  await runStatement(url, `update lease set expires_at = ${Date.now() + 60_000}`);
  await assertRejectsCode(shared(t, url, directory), 'unsafe_key');

  await runStatement(url, 'update lease set expires_at = 0');
  const { keys } = await shared(t, url, directory);
  assert.equal(keys.list.version, 2);
  await runStatement(url, `update lease set expires_at = ${Date.now() + 60_000}`);
  await assertRejectsCode(shared(t, url, former), 'unsafe_key');
});

const REST = { org: 'default', clock: SYSTEM_CLOCK, log: createLogger('controller', { level: 'silent' }) };

async function shared(t: TestContext, url: string, directory: string): Promise<Keyring> {
  const keyring = await startSharedKeyring(url, { directory, ...REST });
  t.after(keyring.stop);
  return keyring;
}
