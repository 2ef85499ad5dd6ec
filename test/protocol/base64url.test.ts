import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeBase64Url, encodeBase64Url } from '../../protocol/base64url.js';

test('decoding inverts encoding', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.deepEqual(decodeBase64Url(encodeBase64Url(bytes)), Buffer.from(bytes));
    }),
  );
});

test('every byte string has exactly one accepted spelling', () => {
  const anyText = fc.stringMatching(/^[A-Za-z0-9_\-+/= .]{0,12}$/);
  fc.assert(
    fc.property(anyText, (text) => {
      const bytes = decodeBase64Url(text);
      assert.ok(bytes === undefined || encodeBase64Url(bytes) === text, text);
    }),
    { numRuns: 2000 },
  );
});

test('padding, the other alphabet, white space and stray bits are refused', () => {
  for (const text of ['YQ==', 'YQ=', 'YR', 'YWJ', 'Y', '+_8', '-/8', 'YWI\n', ' YWI', 'YW.I', 'é', 'YWFhY'])
    assert.equal(decodeBase64Url(text), undefined, JSON.stringify(text));
  assert.deepEqual(decodeBase64Url(''), Buffer.alloc(0));
});
