import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readYamlDocument, writeYaml } from '../../runtime/yaml-document.js';

test('YAML and JSON are read as the plain data that they are', () => {
  const value = { v: 1, risks: [{ actions: ['a*', 'b'], risk: 'read' }], text: '2026-01-01', none: null };

  assert.deepEqual(readYamlDocument(writeYaml(value)), { value });
  assert.deepEqual(readYamlDocument(JSON.stringify(value)), { value });
  assert.deepEqual(readYamlDocument(JSON.stringify(value, null, 2)), { value });
  assert.deepEqual(readYamlDocument('a: yes # a comment [[[[\nb:\r\n  - 1\n'), { value: { a: 'yes', b: [1] } });
});

test('sixty members on one line are not deep', () => {
  const value = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`name${index}`, [index, { a: 1 }]]));

  assert.deepEqual(readYamlDocument(JSON.stringify(value)), { value });
});

test('every fault is named with its line', () => {
  const text = ['a: &x 1', 'b: *x', 'c: 1', 'c: 2', '__proto__: 3', 'd: !!js/function f', '[e]: 4'].join('\n');

  const read = readYamlDocument(text);

  assert.deepEqual('faults' in read && read.faults, [
    'line 1: anchors are not allowed',
    'line 2: aliases are not allowed',
    'line 4: Map keys must be unique',
    'line 5: the name __proto__ is not allowed',
    'line 6: Unresolved tag: tag:yaml.org,2002:js/function',
    'line 7: With stringKeys, all keys must be strings',
  ]);
});

test('a second document is not passed over in silence', () => {
  const read = readYamlDocument('a: 1\n---\na: 2\n');

  assert.match('faults' in read ? read.faults.join() : '', /^line 2: .*multiple documents/);
});

test('aliases that stand for gigabytes are refused without being followed', () => {
  const levels = Array.from({ length: 9 }, (_, level) => `l${level}: &l${level} [${`*l${level - 1},`.repeat(9)}]`);

  const read = readYamlDocument(['l0: &l0 [x]', ...levels.slice(1)].join('\n'));

  assert.ok('faults' in read && read.faults.includes('line 2: aliases are not allowed'));
});

for (const [what, unit] of [
  ['brackets', '['],
  ['braces with names', '{"a": '],
  ['dashes', '- '],
  ['question marks', '? '],
  ['colons', ': '],
  ['names on one line', 'a: b: '],
  ['names in a list', 'a: "b": '],
] as const) {
  for (const start of ['', '[', '- ']) {
    test(`nesting without end is refused before it is parsed: ${what} after "${start}"`, () => {
      const read = readYamlDocument(start + unit.repeat(60_000 / unit.length));

      assert.deepEqual(read, { faults: ['it is nested deeper than 32 levels'] });
    });
  }
}

test('nesting by indentation is counted as well', () => {
  const lines = Array.from({ length: 300 }, (_, level) => `${' '.repeat(level)}a:`);

  assert.deepEqual(readYamlDocument(lines.join('\n')), { faults: ['it is nested deeper than 32 levels'] });
  assert.ok('value' in readYamlDocument(lines.slice(0, 20).join('\n')));
});
