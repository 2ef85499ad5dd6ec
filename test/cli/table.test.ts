import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fit, renderTable } from '../../cli/render/table.js';

const FILE = { stdout: { write: () => undefined }, env: {} };
const terminal = (columns: number, env = {}) => ({
  stdout: { write: () => undefined, isTTY: true, columns },
  env,
});

test('columns stand under their titles, without trailing blanks', () => {
  const text = renderTable(
    ['NODE', 'STATE'],
    [
      ['pump-1', 'online'],
      ['a-much-longer-name', '-'],
    ],
    FILE,
  );

  assert.equal(
    text,
    ['NODE                STATE', 'pump-1              online', 'a-much-longer-name  -', ''].join('\n'),
  );
});

test('a table without rows is its titles', () => {
  assert.equal(renderTable(['NODE', 'STATE'], [], FILE), 'NODE  STATE\n');
});

test('hostile text in a cell can neither break the row nor reach the terminal', () => {
  const text = renderTable(['NODE', 'LABELS'], [['pump-1', 'a=\x1b[2Jb\nc\td']], FILE);

  assert.equal(text, 'NODE    LABELS\npump-1  a=\\x1b[2Jb\\nc\\td\n');
});

test('on a terminal no row is wider than it, and what is cut shows so', () => {
  const text = renderTable(['ACTION', 'DESCRIPTION'], [['ping', 'x'.repeat(200)]], terminal(40, { NO_COLOR: '1' }));

  for (const line of text.split('\n')) assert.ok(line.length <= 40, line);
  assert.match(text, /x…/);
});

test('only a terminal that wants colour gets it', () => {
  const rows = [[{ text: 'online', tone: 'good' as const }]];

  assert.doesNotMatch(renderTable(['STATE'], rows, FILE), /\x1b/);
  assert.doesNotMatch(renderTable(['STATE'], rows, terminal(80, { NO_COLOR: '1' })), /\x1b/);
  assert.doesNotMatch(renderTable(['STATE'], rows, terminal(80, { TERM: 'dumb' })), /\x1b/);
  assert.match(renderTable(['STATE'], rows, terminal(80)), /\x1b\[32monline\x1b\[39m/);
});

test('widths are cut from the widest until they fit, and never below what can be read', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(300), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 300 }),
      (natural, columns) => {
        const widths = fit(natural, columns);
        const total = widths.reduce((sum, width) => sum + width, 2 * (widths.length - 1));
        assert.ok(total <= columns || widths.every((width) => width <= 6));
        for (const [index, width] of widths.entries()) assert.ok(width <= (natural[index] ?? 0));
      },
    ),
  );
  assert.deepEqual(fit([10, 300], undefined), [10, 300]);
});
