import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CompactSign, compactVerify } from 'jose';
import {
  type EnvelopeType,
  openEnvelope,
  openEnvelopeAside,
  openWithOwnKey,
  SIGNERS,
  sha256Hex,
  signEnvelope,
  signEnvelopeAside,
  signWithOwnKey,
} from '../../protocol/envelope.js';
import type { ErrorCode } from '../../protocol/errors.js';
import { generateKeyPair } from '../../runtime/key-file.js';
import { assertRejectsCode, assertThrowsCode } from '../support/assert-code.js';
import { expecting, forgeJws } from '../support/jws.js';

const ALICE = generateKeyPair();
const MALLORY = generateKeyPair();
const TYP = 'muster-request';
const HEADER = { alg: 'EdDSA', typ: TYP, kid: ALICE.public.kid };
const EXPECT = expecting(TYP, ALICE, 'controller');
const BODY = '{"v":1}';
const GOOD = signEnvelope(TYP, BODY, ALICE.signing);

test('jose verifies what we sign', async () => {
  const payload = new Uint8Array([0, 255, 10, 128]);

  const verified = await compactVerify(signEnvelope(TYP, payload, ALICE.signing), ALICE.public.key);

  assert.deepEqual(verified.payload, payload);
  assert.deepEqual(verified.protectedHeader, HEADER);
  assert.equal(await signEnvelopeAside(TYP, payload, ALICE.signing), signEnvelope(TYP, payload, ALICE.signing));
});

test('we verify what jose signs', async () => {
  const jws = await new CompactSign(Buffer.from(BODY)).setProtectedHeader(HEADER).sign(ALICE.signing.key);

  assert.deepEqual(openEnvelope(jws, EXPECT), { kid: ALICE.public.kid, payload: Buffer.from(BODY) });
  assert.equal(openEnvelope(Buffer.from(jws), EXPECT).payload.toString(), BODY);
  assert.deepEqual(await openEnvelopeAside(jws, EXPECT), openEnvelope(jws, EXPECT));
});

test('any payload comes back octet for octet', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), (payload) => {
      assert.deepEqual(openEnvelope(signEnvelope(TYP, payload, ALICE.signing), EXPECT).payload, Buffer.from(payload));
    }),
  );
});

test('no flipped bit, cut or appended byte passes', () => {
  fc.assert(
    fc.property(fc.nat(GOOD.length - 1), fc.integer({ min: 0, max: 7 }), (at, bit) => {
      const bytes = Buffer.from(GOOD);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
      assert.throws(() => openEnvelope(bytes, EXPECT), { name: 'MusterError' });
      assert.throws(() => openEnvelope(GOOD.slice(0, at), EXPECT), { name: 'MusterError' });
      assert.throws(() => openEnvelope(`${GOOD}${String.fromCharCode(33 + at)}`, EXPECT), { name: 'MusterError' });
    }),
    { numRuns: 500 },
  );
});

test('no bytes at all make openEnvelope fail in an unforeseen way', () => {
  const almost = fc.array(fc.base64String(), { maxLength: 5 }).map((parts) => parts.join('.'));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), almost), (message) => {
      assert.throws(() => openEnvelope(message, EXPECT), { name: 'MusterError' });
    }),
  );
});

const [FIRST = '', SECOND = '', THIRD = ''] = GOOD.split('.');
const unsigned = (header: object): string => `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${SECOND}.`;

const REFUSED: readonly (readonly [string, string, ErrorCode])[] = [
  ['alg none without a signature', unsigned({ ...HEADER, alg: 'none' }), 'envelope_malformed'],
  ['alg none', forgeJws({ ...HEADER, alg: 'none' }, BODY, ALICE), 'envelope_algorithm'],
  ['alg NONE', forgeJws({ ...HEADER, alg: 'NONE' }, BODY, ALICE), 'envelope_algorithm'],
  ['alg HS256', forgeJws({ ...HEADER, alg: 'HS256' }, BODY, ALICE), 'envelope_algorithm'],
  ['alg ES256', forgeJws({ ...HEADER, alg: 'ES256' }, BODY, ALICE), 'envelope_algorithm'],
  ['no alg', forgeJws({ typ: TYP, kid: ALICE.public.kid }, BODY, ALICE), 'envelope_algorithm'],
  ['crit', forgeJws({ ...HEADER, crit: ['b64'] }, BODY, ALICE), 'envelope_algorithm'],
  ['b64', forgeJws({ ...HEADER, b64: false }, BODY, ALICE), 'envelope_algorithm'],
  ['zip', forgeJws({ ...HEADER, zip: 'DEF' }, BODY, ALICE), 'envelope_algorithm'],
  ['jku', forgeJws({ ...HEADER, jku: 'https://mallory.example' }, BODY, ALICE), 'envelope_algorithm'],
  ['__proto__ in the header', forgeJws('{"alg":"EdDSA","typ":"x","__proto__":{}}', BODY, ALICE), 'envelope_algorithm'],
  ['a key of its own', forgeJws({ ...HEADER, jwk: MALLORY.public.jwk }, BODY, MALLORY), 'envelope_algorithm'],
  ['no kid', forgeJws({ alg: 'EdDSA', typ: TYP }, BODY, ALICE), 'envelope_algorithm'],
  ['a header that is an array', forgeJws([], BODY, ALICE), 'envelope_algorithm'],
  ['a header that is not JSON', forgeJws('{', BODY, ALICE), 'envelope_malformed'],
  ['no typ', forgeJws({ alg: 'EdDSA', kid: ALICE.public.kid }, BODY, ALICE), 'envelope_algorithm'],
  ['another typ', forgeJws({ ...HEADER, typ: 'muster-control' }, BODY, ALICE), 'envelope_type'],
  ['typ in other letters', forgeJws({ ...HEADER, typ: 'Muster-Request' }, BODY, ALICE), 'envelope_type'],
  ['an unknown kid', forgeJws({ ...HEADER, kid: MALLORY.public.kid }, BODY, MALLORY), 'unknown_key'],
  ['a signature by another key', forgeJws(HEADER, BODY, MALLORY), 'bad_signature'],
  ['another payload', `${FIRST}.${Buffer.from('{"v":2}').toString('base64url')}.${THIRD}`, 'bad_signature'],
  ['two parts', `${FIRST}.${SECOND}`, 'envelope_malformed'],
  ['four parts', `${GOOD}.x`, 'envelope_malformed'],
  ['five parts (JWE)', `${GOOD}.x.y`, 'envelope_malformed'],
  ['padding', `${GOOD}==`, 'envelope_malformed'],
  ['a line end', `${GOOD}\n`, 'envelope_malformed'],
  ['a longer signature', `${GOOD}AAAA`, 'envelope_malformed'],
  ['JSON serialization', JSON.stringify({ protected: FIRST, payload: SECOND, signature: THIRD }), 'envelope_malformed'],
  ['nothing', '', 'envelope_malformed'],
];

for (const [what, jws, code] of REFUSED) {
  test(`an envelope with ${what} is refused as ${code}`, async () => {
    assertThrowsCode(() => openEnvelope(jws, EXPECT), code);
    await assertRejectsCode(openEnvelopeAside(jws, EXPECT), code);
  });
}

test('the other base64url spellings of a signature are refused', () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const last = alphabet.indexOf(GOOD.slice(-1));
  for (let extra = 1; extra < 16; extra += 1) {
    const other = `${GOOD.slice(0, -1)}${alphabet[(last & 0x30) | ((last + extra) & 0x0f)]}`;
    assert.throws(() => openEnvelope(other, EXPECT), { name: 'MusterError' });
  }
  assert.deepEqual(
    Buffer.from(`${THIRD.slice(0, -1)}${alphabet[last ^ 1]}`, 'base64url'),
    Buffer.from(THIRD, 'base64url'),
  );
});

test('size is checked before anything else', () => {
  assertThrowsCode(() => openEnvelope(GOOD, { ...EXPECT, maxBytes: GOOD.length - 1 }), 'envelope_too_large');
  assertThrowsCode(() => openEnvelope('x'.repeat(300 * 1024), EXPECT), 'envelope_too_large');
  assert.ok(openEnvelope(GOOD, { ...EXPECT, maxBytes: GOOD.length }));
});

test('each typ may be signed by one role only', () => {
  for (const typ of Object.keys(SIGNERS) as EnvelopeType[]) {
    const jws = signEnvelope(typ, BODY, ALICE.signing);
    for (const role of ['controller', 'root', 'node', 'bearer'] as const) {
      if (SIGNERS[typ] === role) assert.ok(openEnvelope(jws, expecting(typ, ALICE, role)));
      else assertThrowsCode(() => openEnvelope(jws, expecting(typ, ALICE, role)), 'key_not_allowed');
    }
  }
});

test('an enrollment brings its own key and proves that it holds it', () => {
  const { kty, crv, x } = ALICE.public.jwk;
  const jws = signWithOwnKey(BODY, ALICE.signing, ALICE.public);

  assert.equal(openWithOwnKey(jws, 4096).signer.kid, ALICE.public.kid);

  const header = { alg: 'EdDSA', typ: 'muster-enroll', jwk: { kty, crv, x } };
  assertThrowsCode(() => openWithOwnKey(forgeJws(header, BODY, MALLORY), 4096), 'bad_signature');
  assertThrowsCode(() => openWithOwnKey(forgeJws({ ...header, kid: 'x' }, BODY, ALICE), 4096), 'envelope_algorithm');
  assertThrowsCode(() => openWithOwnKey(GOOD, 4096), 'envelope_type');
  const small = { ...header, jwk: { kty, crv, x: Buffer.alloc(32).toString('base64url') } };
  assertThrowsCode(() => openWithOwnKey(forgeJws(small, BODY, ALICE), 4096), 'unsafe_key');
  assertThrowsCode(() => openWithOwnKey(jws, 16), 'envelope_too_large');
});

test('request_sha256 is the SHA-256 of the octets in lower-case hex', () => {
  assert.equal(sha256Hex('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});
