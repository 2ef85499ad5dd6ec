import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { escapeOutput, escapeText, toJson } from '../../runtime/terminal-text.js';

/** Whatever a terminal acts on, or that hides or turns around what is read. */
const HOSTILE = /[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom('\x1b', '\x9b', '\r', '\n', '\t', '\u202e', '\u2066', '\ufeff', '[', '2', 'J', 'é'),
  }),
);

test('no text keeps a character that a terminal acts on', () => {
  fc.assert(fc.property(anyText, (text) => assert.doesNotMatch(escapeText(text), HOSTILE)));
});

test('output keeps its lines and tabs, and nothing else that a terminal acts on', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const escaped = escapeOutput(text);
      assert.doesNotMatch(escaped.replaceAll(/[\n\t]/g, ''), HOSTILE);
      assert.equal(escaped.split('\n').length, text.split('\n').length);
    }),
  );
});

test('JSON says the same as JSON.stringify and holds nothing that a terminal acts on', () => {
  fc.assert(
    fc.property(fc.dictionary(anyText, anyText, { noNullPrototype: true }), (value) => {
      const json = toJson(value);
      assert.deepEqual(JSON.parse(json), JSON.parse(JSON.stringify(value)));
      assert.doesNotMatch(json.replaceAll('\n', ''), HOSTILE);
    }),
  );
});

test('what is spelled out can be read', () => {
  assert.equal(escapeText('a\x1b[31mred\x07\n\u202eb'), 'a\\x1b[31mred\\x07\\n\\u202eb');
  assert.equal(escapeOutput('one\r\ntwo\rthree\tfour'), 'one\ntwo\\rthree\tfour');
  assert.equal(escapeText('größer → 漢字 👍'), 'größer → 漢字 👍');
});
