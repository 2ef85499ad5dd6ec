import assert from 'node:assert/strict';
import { renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ensureKeys } from '../../../controller/identity/keys.js';
import { generateKeyPair } from '../../../runtime/key-file.js';
import { assertThrowsCode } from '../../support/assert-code.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { createTestClock } from '../../support/test-clock.js';

const DAY_MS = 24 * 3600 * 1000;

test('keys are made once, private ones for the owner alone, and stay the same', (t) => {
  const directory = temporaryDirectory(t);
  const clock = createTestClock();

  const first = ensureKeys(directory, 'default', clock);
  const second = ensureKeys(directory, 'default', clock);

  assert.equal(second.root.kid, first.root.kid);
  assert.equal(second.signing.kid, first.signing.kid);
  assert.equal(second.list.jws, first.list.jws);
  for (const file of ['root.key', 'signing.key']) assert.equal(statSync(join(directory, file)).mode & 0o777, 0o600);
});

test('a key list is signed anew, one version up, when less than half of its 30 days is left', (t) => {
  const directory = temporaryDirectory(t);
  const clock = createTestClock();
  const first = ensureKeys(directory, 'default', clock);

  clock.advance(14 * DAY_MS);
  assert.equal(ensureKeys(directory, 'default', clock).list.version, first.list.version);
  clock.advance(2 * DAY_MS);
  const renewed = ensureKeys(directory, 'default', clock).list;

  assert.equal(renewed.version, first.list.version + 1);
  assert.ok(renewed.notAfterMs >= clock.nowMs() + 29 * DAY_MS);
});

test('without the root key the list serves to its end, and not a day longer', (t) => {
  const directory = temporaryDirectory(t);
  const clock = createTestClock();
  const { list } = ensureKeys(directory, 'default', clock);
  renameSync(join(directory, 'root.key'), join(directory, 'root.key.away'));

  clock.advance(29 * DAY_MS);
  assert.equal(ensureKeys(directory, 'default', clock).list.version, list.version);
  clock.advance(2 * DAY_MS);
  assertThrowsCode(() => ensureKeys(directory, 'default', clock), 'key_list_expired');
});

test('a new signing key gets a new list', (t) => {
  const directory = temporaryDirectory(t);
  const clock = createTestClock();
  const before = ensureKeys(directory, 'default', clock);
  rmSync(join(directory, 'signing.key'));

  const after = ensureKeys(directory, 'default', clock);

  assert.notEqual(after.signing.kid, before.signing.kid);
  assert.deepEqual([...after.list.keys.keys()], [after.signing.kid]);
});

test('a root key that does not fit the public one is refused', (t) => {
  const directory = temporaryDirectory(t);
  const clock = createTestClock();
  ensureKeys(directory, 'default', clock);
  const other = generateKeyPair();
  writeFileSync(join(directory, 'root.key'), JSON.stringify(other.signing.key.export({ format: 'jwk' })));

  assertThrowsCode(() => ensureKeys(directory, 'default', clock), 'unsafe_key');
});

test('a key list that another root signed is refused', (t) => {
  const directory = temporaryDirectory(t);
  const clock = createTestClock();
  const { listFile } = ensureKeys(directory, 'default', clock);
  writeFileSync(listFile, ensureKeys(temporaryDirectory(t), 'default', clock).list.jws);

  assertThrowsCode(() => ensureKeys(directory, 'default', clock), 'unsafe_key');
});
