import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openEnvelope, signEnvelope } from '../../protocol/envelope.js';
import { generateKeyPair, loadKey, loadOrCreateKey } from '../../runtime/key-file.js';
import { assertThrowsCode } from '../support/assert-code.js';
import { expecting } from '../support/jws.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

test('a key is made once, kept for its owner alone, and found again', (t) => {
  const file = join(temporaryDirectory(t), 'node.jwk.json');
  assert.equal(loadKey(file), undefined);

  const made = loadOrCreateKey(file);
  const found = loadOrCreateKey(file);

  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(found.public.kid, made.public.kid);
  const jws = signEnvelope('muster-ack', 'x', found.signing);
  assert.equal(openEnvelope(jws, expecting('muster-ack', made, 'node')).kid, made.public.kid);
});

test('the public part of a pair holds no private member', () => {
  assert.deepEqual(Object.keys(generateKeyPair().public.jwk), ['kty', 'crv', 'x', 'kid']);
});

test('a file that holds no Ed25519 private key is refused and left as it is', (t) => {
  const file = join(temporaryDirectory(t), 'node.jwk.json');
  const others = ['', '{}', 'null', 'not json', JSON.stringify(generateKeyPair().public.jwk)];
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  for (const content of [...others, JSON.stringify(privateKey.export({ format: 'jwk' }))]) {
    writeFileSync(file, content);
    const { message } = assertThrowsCode(() => loadOrCreateKey(file), 'unsafe_key');
    assert.ok(message.includes(file));
    assert.equal(readFileSync(file, 'utf8'), content);
  }
});
