import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseJsonBody } from '../../../controller/http/json-body.js';
import { assertThrowsCode } from '../../support/assert-code.js';

const parse = (text: string): unknown => parseJsonBody(Buffer.from(text));

test('any JSON that JSON.stringify writes is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 8, noUnicodeString: false }), (text) => {
      fc.pre(!text.includes('__proto__'));
      assert.deepEqual(parse(text), JSON.parse(text));
    }),
  );
});

test('strings that hold JSON are not mistaken for it', () => {
  for (const value of ['{"a":1,"a":2}', '[[[', '"', '\\', '\\"a\\":', '__proto__', ':']) {
    assert.deepEqual(parse(JSON.stringify({ [`${value}x`]: value, list: [value, value] })), {
      [`${value}x`]: value,
      list: [value, value],
    });
  }
});

const REFUSED: readonly (readonly [why: string, text: string])[] = [
  ['nothing', ''],
  ['half an object', '{"a":'],
  ['a comment', '{"a":1} // b'],
  ['a byte order mark', '\ufeff{"a":1}'],
  ['a name twice', '{"a":1,"b":2,"a":1}'],
  ['a name twice, spelled in two ways', '{"a":1,"\\u0061":2}'],
  ['a name twice, deep inside', '{"x":[{"y":{"a":1,"a":1}}]}'],
  ['__proto__', '{"__proto__":{"role":"owner"}}'],
  ['__proto__, spelled with escapes', '{"\\u005f_proto__":1}'],
  ['33 levels', `${'['.repeat(33)}${']'.repeat(33)}`],
  ['100,000 levels of lists', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
  ['100,000 levels that never end', '[{"a":'.repeat(50_000)],
];

for (const [why, text] of REFUSED) {
  test(`a body is refused for ${why}`, () => {
    assertThrowsCode(() => parse(text), 'malformed_json');
  });
}

test('a body that is not UTF-8 is refused', () => {
  assertThrowsCode(() => parseJsonBody(Buffer.from([0x22, 0xff, 0x22])), 'malformed_json');
});

test('the same name in different objects is no repetition', () => {
  assert.deepEqual(parse('{"a":{"a":1},"b":[{"a":1},{"a":2}]}'), { a: { a: 1 }, b: [{ a: 1 }, { a: 2 }] });
});

test('32 levels are read', () => {
  assert.doesNotThrow(() => parse(`${'['.repeat(32)}${']'.repeat(32)}`));
});
