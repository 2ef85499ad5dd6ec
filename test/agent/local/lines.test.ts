import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLineCutter, parseLine, toLine } from '../../../agent/local/lines.js';
import { assertThrowsCode } from '../../support/assert-code.js';

test('lines come out as they went in, however the bytes are split', () => {
  const line = fc.string({ unit: 'binary' }).filter((text) => !/[\n\p{Surrogate}]/u.test(text));
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat(20)), (lines, cuts) => {
      const bytes = Buffer.from(lines.map((each) => `${each}\n`).join(''));
      const cut = createLineCutter(1_000_000);
      const found: string[] = [];
      let at = 0;
      for (const length of cuts) {
        found.push(...cut(bytes.subarray(at, at + length)));
        at += length;
      }
      found.push(...cut(bytes.subarray(at)));
      assert.deepEqual(found, lines);
    }),
  );
});

test('a line of the largest size passes, and one byte more is refused, also before its end', () => {
  assert.deepEqual(createLineCutter(10)(Buffer.from(`${'x'.repeat(10)}\n`)), ['x'.repeat(10)]);
  assertThrowsCode(() => createLineCutter(10)(Buffer.from(`${'x'.repeat(11)}\n`)), 'invalid_request');
  const cut = createLineCutter(10);
  cut(Buffer.from('xxxxxxxx'));
  assertThrowsCode(() => cut(Buffer.from('xxx')), 'invalid_request');
});

test('what is no JSON is a value that no schema takes', () => {
  assert.equal(parseLine('{"a":'), undefined);
  assert.deepEqual(parseLine(toLine({ a: 1 })), { a: 1 });
});
