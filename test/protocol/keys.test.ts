import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { calculateJwkThumbprint } from 'jose';
import { admitKey, thumbprintOf } from '../../protocol/keys.js';
import { generateKeyPair } from '../../runtime/key-file.js';
import { assertThrowsCode } from '../support/assert-code.js';

const GOOD = generateKeyPair().public.jwk;
const P_MINUS_1 = `ec${'ff'.repeat(30)}7f`;

/** y of the points of order 1, 2, 4 and 8, also in the forms that only a lenient decoder takes. */
const SMALL_ORDER = [
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  P_MINUS_1,
  P_MINUS_1.replace('ec', 'ed'),
  P_MINUS_1.replace('ec', 'ee'),
];

test('kid is the RFC 7638 thumbprint, as jose makes it', async () => {
  const { kty, crv, x } = GOOD;

  assert.equal(admitKey(GOOD).kid, await calculateJwkThumbprint({ kty, crv, x }));
  assert.equal(
    thumbprintOf({ x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }),
    'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k', // RFC 8037, appendix A.3
  );
});

test('a key of small order is refused in every encoding', () => {
  for (const hex of SMALL_ORDER) {
    const bytes = Buffer.from(hex, 'hex');
    const signed = Buffer.from(bytes);
    signed[31] = (signed[31] ?? 0) | 0x80;
    for (const each of [bytes, signed])
      assertThrowsCode(() => admitKey({ ...GOOD, kid: undefined, x: each.toString('base64url') }), 'unsafe_key');
  }
});

test('a y of 2^255 − 19 or more is refused: it would be a second spelling of another key', () => {
  for (let low = 0xed; low <= 0xff; low += 1) {
    const x = Buffer.from(P_MINUS_1.replace('ec', low.toString(16)), 'hex').toString('base64url');
    assertThrowsCode(() => admitKey({ kty: 'OKP', crv: 'Ed25519', x }), 'unsafe_key');
  }
});

test('keys of another kind, length or spelling are refused', () => {
  const others = [
    generateKeyPairSync('x25519').publicKey,
    generateKeyPairSync('ed448').publicKey,
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey,
    generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey,
  ].map((key) => key.export({ format: 'jwk' }));
  const { kty, crv, x } = GOOD;
  const bent = [
    { kty, crv: 'X25519', x },
    { kty, crv, x: x.slice(0, -1) },
    { kty, crv, x: `${x}A` },
    { kty, crv, x: `${x.slice(0, -1)}=` },
    { kty, crv, x: `${x.slice(0, -1)}${x.endsWith('B') ? 'C' : 'B'}` },
    { kty, crv },
    { kty: 'oct', k: x },
    null,
    x,
  ];
  for (const candidate of [...others, ...bent]) assertThrowsCode(() => admitKey(candidate), 'unsafe_key');
});

test('a kid that is not the thumbprint is refused', () => {
  assertThrowsCode(() => admitKey({ ...GOOD, kid: generateKeyPair().public.kid }), 'unsafe_key');
});

test('nothing but the public part of a key is kept', () => {
  const withPrivatePart = generateKeyPair().signing.key.export({ format: 'jwk' });
  assert.deepEqual(Object.keys(admitKey(withPrivatePart).jwk), ['kty', 'crv', 'x', 'kid']);
});
