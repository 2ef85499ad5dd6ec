import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { splitLine } from '../../../cli/completion/line.js';

const LINES: readonly (readonly [line: string, words: readonly string[]])[] = [
  ['', ['']],
  ['muster', ['muster']],
  ['muster ', ['muster', '']],
  ['  muster\t run  pi', ['muster', 'run', 'pi']],
  [`muster run --reason "ticket 4711" --no`, ['muster', 'run', '--reason', 'ticket 4711', '--no']],
  [`muster run --reason='a "b"' x`, ['muster', 'run', '--reason=a "b"', 'x']],
  [`muster run a\\ b "c\\"d" 'e\\f'`, ['muster', 'run', 'a b', 'c"d', 'e\\f']],
  [`muster run "an open quote `, ['muster', 'run', 'an open quote ']],
  ['muster run x\\', ['muster', 'run', 'x']],
];

test('a line is divided into words as a shell divides it, the last one being that under the cursor', () => {
  for (const [line, words] of LINES) assert.deepEqual(splitLine(line), words, line);
});

test('words in single quotes come out as they went in', () => {
  const word = fc.string().filter((text) => !text.includes("'"));
  fc.assert(
    fc.property(fc.array(word, { minLength: 1 }), (words) => {
      assert.deepEqual(splitLine(words.map((each) => `'${each}'`).join(' ')), words);
    }),
  );
});
