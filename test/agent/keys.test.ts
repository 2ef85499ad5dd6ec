import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { z } from 'zod';
import { createTrustedKeys } from '../../agent/keys.js';
import { type KeyListPayload, signKeyList } from '../../protocol/key-list.js';
import { toTime } from '../../runtime/clock.js';
import { generateKeyPair } from '../../runtime/key-file.js';
import { assertThrowsCode } from '../support/assert-code.js';

const NOW_MS = Date.parse('2026-06-01T00:00:00Z');
const END_MS = NOW_MS + 30 * 24 * 3_600_000;
const root = generateKeyPair();
const [first, second] = [generateKeyPair(), generateKeyPair()];

test('the keys of the stored list are believed, others are not', () => {
  const keys = createTrustedKeys(identity(list()), () => NOW_MS);

  assert.equal(keys.keyOf(first.public.kid)?.role, 'controller');
  assert.equal(keys.keyOf(second.public.kid), undefined);
  assert.equal(keys.keyOf(root.public.kid), undefined);
});

test('a newer list replaces the one before, the same one changes nothing', () => {
  const keys = createTrustedKeys(identity(list()), () => NOW_MS);

  assert.equal(keys.renew(list({ version: 2, keys: [second.public.jwk] })), true);
  assert.equal(keys.renew(list({ version: 2, keys: [second.public.jwk] })), false);

  assert.deepEqual([keys.version, keys.keyOf(first.public.kid)], [2, undefined]);
  assert.equal(keys.keyOf(second.public.kid)?.role, 'controller');
});

test('S-P-66: while a list holds the old key beside the new one, both are believed', () => {
  const keys = createTrustedKeys(identity(list()), () => NOW_MS);

  keys.renew(list({ version: 2, keys: [first.public.jwk, second.public.jwk] }));
  assert.ok(keys.keyOf(first.public.kid) && keys.keyOf(second.public.kid));

  keys.renew(list({ version: 3, keys: [second.public.jwk] }));
  assert.equal(keys.keyOf(first.public.kid), undefined);
});

test('an older list is refused', () => {
  const keys = createTrustedKeys(identity(list({ version: 5 })), () => NOW_MS);

  assertThrowsCode(() => keys.renew(list({ version: 4, keys: [second.public.jwk] })), 'stale');

  assert.equal(keys.version, 5);
});

test('a list of another root or org is refused', () => {
  const keys = createTrustedKeys(identity(list()), () => NOW_MS);

  assertThrowsCode(() => keys.renew(list({ version: 2 }, generateKeyPair())), 'unknown_key');
  assertThrowsCode(() => keys.renew(list({ version: 2, org: 'other' })), 'wrong_audience');
});

test('past its end a list opens nothing, by the time of the controller', () => {
  let nowMs: number | undefined;
  const keys = createTrustedKeys(identity(list()), () => nowMs);
  assert.ok(keys.keyOf(first.public.kid), 'before a welcome no clock can be trusted');

  nowMs = END_MS - 1;
  assert.ok(keys.keyOf(first.public.kid));
  nowMs = END_MS;
  assertThrowsCode(() => keys.keyOf(first.public.kid), 'key_list_expired');
});

function list(changes: Partial<z.infer<typeof KeyListPayload>> = {}, signer = root): string {
  const payload = { v: 1 as const, org: 'default', version: 1, keys: [first.public.jwk], not_after: toTime(END_MS) };
  return signKeyList({ ...payload, ...changes }, signer.signing);
}

function identity(keys: string) {
  return {
    v: 1 as const,
    org: 'default',
    node: 'pump',
    prefix: 'muster/v1',
    root: root.public.jwk,
    keys,
    broker: { url: 'mqtt://127.0.0.1', username: 'pump', password: '' },
    enrolled_at: toTime(NOW_MS),
  };
}
