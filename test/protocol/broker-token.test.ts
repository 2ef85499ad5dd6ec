import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jwtVerify } from 'jose';
import { MAX_BROKER_TOKEN_SECONDS, openBrokerToken, signBrokerToken } from '../../protocol/broker-token.js';
import { signEnvelope } from '../../protocol/envelope.js';
import { generateKeyPair } from '../../runtime/key-file.js';
import { assertThrowsCode } from '../support/assert-code.js';
import { expecting } from '../support/jws.js';

const CONTROLLER = generateKeyPair();
const NODE = generateKeyPair();
const NOW_S = 1_795_600_000;
const CLAIMS = {
  org: 'default',
  sub: 'pump-7',
  role: 'node' as const,
  groups: ['pumps'],
  iat: NOW_S,
  exp: NOW_S + 3600,
};
const { keyOf } = expecting('muster-broker+jwt', CONTROLLER, 'controller');
const open = (token: string, nowMs = NOW_S * 1000) => openBrokerToken(token, { keyOf, nowMs });

test('a broker password says who connects and until when', () => {
  const { principal, expiresAtMs } = open(signBrokerToken(CLAIMS, CONTROLLER.signing));

  assert.deepEqual(principal, { role: 'node', id: 'pump-7', org: 'default', groups: ['pumps'] });
  assert.equal(expiresAtMs, (NOW_S + 3600) * 1000);
});

test('a broker password is a JWT that any library verifies', async () => {
  const token = signBrokerToken(CLAIMS, CONTROLLER.signing);

  const { payload } = await jwtVerify(token, CONTROLLER.public.key, { currentDate: new Date(NOW_S * 1000) });

  assert.deepEqual(payload, CLAIMS);
});

test('a broker password ends at the very second of exp', () => {
  const token = signBrokerToken(CLAIMS, CONTROLLER.signing);

  assert.ok(open(token, CLAIMS.exp * 1000 - 1));
  assertThrowsCode(() => open(token, CLAIMS.exp * 1000), 'stale');
});

test('a broker password may not live longer than seven days', () => {
  const week = { ...CLAIMS, exp: NOW_S + MAX_BROKER_TOKEN_SECONDS };
  assert.ok(open(signBrokerToken(week, CONTROLLER.signing)));
  assertThrowsCode(() => open(signBrokerToken({ ...week, exp: week.exp + 1 }, CONTROLLER.signing)), 'stale');
});

test('a node cannot make a broker password, nor pass another message off as one', () => {
  assertThrowsCode(() => open(signBrokerToken(CLAIMS, NODE.signing)), 'unknown_key');
  const asNode = expecting('muster-broker+jwt', NODE, 'node');
  const token = signBrokerToken(CLAIMS, NODE.signing);
  assertThrowsCode(() => openBrokerToken(token, { keyOf: asNode.keyOf, nowMs: NOW_S * 1000 }), 'key_not_allowed');
  const request = signEnvelope('muster-request', JSON.stringify(CLAIMS), CONTROLLER.signing);
  assertThrowsCode(() => open(request), 'envelope_type');
});

test('claims out of shape are refused', () => {
  for (const bent of [{ sub: 'a/b' }, { sub: '#' }, { role: 'admin' }, { groups: ['+'] }, { org: '' }, { exp: '1' }]) {
    const token = signEnvelope('muster-broker+jwt', JSON.stringify({ ...CLAIMS, ...bent }), CONTROLLER.signing);
    assertThrowsCode(() => open(token), 'payload_invalid');
  }
});
