import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signEnvelope } from '../../protocol/envelope.js';
import { openKeyList, signKeyList } from '../../protocol/key-list.js';
import { generateKeyPair } from '../../runtime/key-file.js';
import { assertThrowsCode } from '../support/assert-code.js';

const ROOT = generateKeyPair();
const CONTROLLER = generateKeyPair();
const PAYLOAD = {
  v: 1 as const,
  org: 'default',
  version: 3,
  keys: [CONTROLLER.public.jwk],
  not_after: '2026-12-21T10:00:00Z',
};

test('a key list under the root gives the keys that may sign as controller', () => {
  const jws = signKeyList(PAYLOAD, ROOT.signing);

  const list = openKeyList(jws, ROOT.public, 'default');

  assert.equal(list.version, 3);
  assert.equal(list.notAfterMs, Date.parse('2026-12-21T10:00:00Z'));
  assert.deepEqual([...list.keys.keys()], [CONTROLLER.public.kid]);
  assert.equal(list.keys.get(CONTROLLER.public.kid)?.role, 'controller');
  assert.equal(list.jws, jws);
});

test('a version comes out as it is, so that the caller can refuse a lower one', () => {
  const older = signKeyList({ ...PAYLOAD, version: 2 }, ROOT.signing);
  assert.equal(openKeyList(older, ROOT.public, 'default').version, 2);
});

test('a key list by anybody but the root is refused', () => {
  const forged = signKeyList(PAYLOAD, CONTROLLER.signing);
  assertThrowsCode(() => openKeyList(forged, ROOT.public, 'default'), 'unknown_key');

  const underRootsName = signEnvelope('muster-keys', JSON.stringify(PAYLOAD), {
    kid: ROOT.signing.kid,
    key: CONTROLLER.signing.key,
  });
  assertThrowsCode(() => openKeyList(underRootsName, ROOT.public, 'default'), 'bad_signature');
});

test('what the root signed as something else is no key list', () => {
  const request = signEnvelope('muster-request', JSON.stringify(PAYLOAD), ROOT.signing);
  assertThrowsCode(() => openKeyList(request, ROOT.public, 'default'), 'envelope_type');
});

test('a key list of another org is refused', () => {
  const jws = signKeyList({ ...PAYLOAD, org: 'other' }, ROOT.signing);
  assertThrowsCode(() => openKeyList(jws, ROOT.public, 'default'), 'wrong_audience');
});

test('a key list with an unsafe key is refused as a whole', () => {
  const x = Buffer.alloc(32).toString('base64url');
  const jws = signKeyList(
    { ...PAYLOAD, keys: [CONTROLLER.public.jwk, { kty: 'OKP', crv: 'Ed25519', x }] },
    ROOT.signing,
  );
  assertThrowsCode(() => openKeyList(jws, ROOT.public, 'default'), 'unsafe_key');
});

test('a key list without keys, version or end is refused', () => {
  for (const bent of [{ keys: [] }, { version: 0 }, { version: 1.5 }, { not_after: 'never' }]) {
    const jws = signEnvelope('muster-keys', JSON.stringify({ ...PAYLOAD, ...bent }), ROOT.signing);
    assertThrowsCode(() => openKeyList(jws, ROOT.public, 'default'), 'payload_invalid');
  }
});
