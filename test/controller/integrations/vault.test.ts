import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createVault, VAULT_KEY_FILE } from '../../../controller/integrations/vault.js';
import { assertThrowsCode } from '../../support/assert-code.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

test('what is sealed opens again, also after a restart, and never twice to the same text', (t) => {
  const directory = temporaryDirectory(t);
  const sealed = createVault(directory).seal('the secret', 'sentry');

  assert.equal(createVault(directory).open(sealed, 'sentry'), 'the secret');
  assert.notEqual(createVault(directory).seal('the secret', 'sentry'), sealed);
  assert.doesNotMatch(sealed, /secret/);
});

test('the key lies in a file that only its owner reads', (t) => {
  const directory = temporaryDirectory(t);
  createVault(directory).seal('the secret', 'sentry');
  assert.equal(statSync(join(directory, VAULT_KEY_FILE)).mode & 0o777, 0o600);
});

test('what was altered, moved or sealed under another key does not open', (t) => {
  const [directory, other] = [temporaryDirectory(t), temporaryDirectory(t)];
  const vault = createVault(directory);
  const sealed = vault.seal('the secret', 'sentry at https://a.example');

  assertThrowsCode(() => vault.open(sealed, 'sentry at https://b.example'), 'unsafe_key');
  for (const at of [2, 3, 4]) {
    const parts = sealed.split('.');
    const part = parts[at] ?? '';
    parts[at] = `${part.startsWith('A') ? 'B' : 'A'}${part.slice(1)}`;
    assertThrowsCode(() => vault.open(parts.join('.'), 'sentry at https://a.example'), 'unsafe_key');
  }
  // A tag of four octets would be guessed.
  const [short] = [sealed.split('.')].map(([v, id, iv, text, tag = '']) =>
    [v, id, iv, text, tag.slice(0, 6)].join('.'),
  );
  assertThrowsCode(() => vault.open(short ?? '', 'sentry at https://a.example'), 'unsafe_key');
  createVault(other).seal('another', 'x');
  assertThrowsCode(() => createVault(other).open(sealed, 'sentry at https://a.example'), 'unsafe_key');
});

test('a key file that holds no key is told of, and not replaced', (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, VAULT_KEY_FILE), 'short\n');
  assertThrowsCode(() => createVault(directory).seal('the secret', 'sentry'), 'unsafe_key');
  assert.equal(readFileSync(join(directory, VAULT_KEY_FILE), 'utf8'), 'short\n');
});
