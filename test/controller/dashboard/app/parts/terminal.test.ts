import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Block, toBlocks } from '../../../../../controller/dashboard/app/parts/terminal.js';

test('colours are classes of the style sheet, or colours where it has none', () => {
  assert.deepEqual(shown('a \x1b[31mred \x1b[1;4mbold\x1b[0m b'), [
    ['a ', ''],
    ['red ', 'ansi-red-fg'],
    ['bold', 'ansi-bold ansi-underline ansi-red-fg'],
    [' b', ''],
  ]);
  assert.deepEqual(shown('\x1b[38;5;208mx\x1b[0;48;2;1;2;3my\x1b[0;38;5;255mz'), [
    ['x', ' rgb(255, 135, 0)/'],
    ['y', ' /rgb(1, 2, 3)'],
    ['z', ' rgb(238, 238, 238)/'],
  ]);
});

test('inverse text has its colours exchanged, and what hides or blinks is shown plainly', () => {
  assert.deepEqual(shown('\x1b[7mx\x1b[31my\x1b[27mz'), [
    ['x', 'ansi-text-bg ansi-page-fg'],
    ['y', 'ansi-red-bg ansi-page-fg'],
    ['z', 'ansi-red-fg'],
  ]);
  assert.deepEqual(shown('\x1b[8;5mseen'), [['seen', '']]);
});

test('a carriage return goes back to the start of its line, and what follows is written over it', () => {
  assert.equal(textOf('loading\rdone\r\nnext\r'), 'doneing\nnext');
  assert.equal(textOf('10%\r20%\r\x1b[Kok\n'), 'ok\n');
  assert.equal(textOf('abcdef\rxy\x1b[1K'), '  cdef');
  assert.deepEqual(shown('abc\r\x1b[32mX'), [
    ['X', 'ansi-green-fg'],
    ['bc', ''],
  ]);
});

test('nothing else that a terminal obeys does anything, and what belongs to no sequence is spelled out', () => {
  assert.equal(textOf('\x1b]0;title\x07a\x1b(B\x1b[2J\x1b[5;5Hb\x1bP1;2|dcs\x1b\\c\x1b[?25l\x1b7'), 'abc');
  assert.equal(textOf('\x07\x08\x9b31m \u202e\u2066\u200b\tx'), '\\x07\\x08\\x9b31m \\u202e\\u2066\\u200b\tx');
  assert.equal(textOf('\x1b]8;;never closed\nnext \x1b['), '\\x1b]8;;never closed\nnext \\x1b[');
  assert.equal(textOf('<img src=x onerror="x()">&amp;'), '<img src=x onerror="x()">&amp;');
});

test('a colour lasts over lines and blocks, and every line break is kept', () => {
  const lines = Array.from({ length: 950 }, (_, index) => `${index === 3 ? '\x1b[33m' : ''}line ${index}`);
  const blocks = toBlocks(lines.join('\n'));

  assert.equal(blocks.length, 5);
  assert.equal(
    blocks.flatMap(({ pieces }) => pieces.map(({ text }) => text)).join(''),
    lines.join('\n').replace('\x1b[33m', ''),
  );
  assert.equal(blocks.at(-1)?.pieces[0]?.look.className, 'ansi-yellow-fg');
});

test('when text grows, the blocks before its end are the same ones', () => {
  const lines = Array.from({ length: 950 }, (_, index) => `\x1b[3${index % 8}mline ${index}\n`);
  const before = toBlocks(lines.slice(0, 900).join(''));
  const after = toBlocks(lines.join(''), before);

  assert.deepEqual(after, toBlocks(lines.join('')));
  assert.deepEqual(
    after.map((block, index) => block === before[index]),
    [true, true, true, true, false],
  );
});

test('a block has a limit of colours, so that no text makes a page of hundreds of thousands of parts', () => {
  const [block] = toBlocks('\x1b[31ma\x1b[32mb'.repeat(50_000));

  assert.equal(block?.pieces.length, 5_000);
  assert.equal(block?.pieces.map(({ text }) => text).join(''), 'ab'.repeat(50_000));
});

/** Text and looks of every piece. */
function shown(text: string): [string, string][] {
  return pieces(toBlocks(text)).map(({ text, look: { className, color, background } }) => [
    text,
    color === undefined && background === undefined ? className : `${className} ${color ?? ''}/${background ?? ''}`,
  ]);
}

function textOf(text: string): string {
  return pieces(toBlocks(text))
    .map((piece) => piece.text)
    .join('');
}

function pieces(blocks: readonly Block[]): Block['pieces'] {
  return blocks.flatMap((block) => block.pieces);
}
