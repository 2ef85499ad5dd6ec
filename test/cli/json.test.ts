import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { layOutJson } from '../../cli/render/json.js';

test('what fits into the columns stays on its line, the rest is indented', () => {
  const value = {
    ok: true,
    disks: [
      { at: '/', used: 22.6 },
      { at: '/var', used: 3 },
    ],
    none: [],
    empty: {},
  };

  assert.equal(
    layOutJson(`${JSON.stringify(value)}\n`, 40),
    [
      '{',
      '  "ok": true,',
      '  "disks": [',
      '    { "at": "/", "used": 22.6 },',
      '    { "at": "/var", "used": 3 }',
      '  ],',
      '  "none": [],',
      '  "empty": {}',
      '}',
    ].join('\n'),
  );
});

test('laid out JSON is the same JSON', () => {
  fc.assert(
    fc.property(fc.json(), fc.integer({ min: 10, max: 120 }), (json, columns) => {
      const compact = JSON.stringify(JSON.parse(json));
      assert.equal(JSON.stringify(JSON.parse(layOutJson(compact, columns))), compact);
    }),
  );
});

test('text that would not come out as the same JSON is left as it is', () => {
  const deep = '['.repeat(100_000) + ']'.repeat(100_000);
  for (const text of ['plain', '{"a":1', '{"a":1,"a":2}', '[12345678901234567890]', '{ "spaced": 1 }', '42', '', deep])
    assert.equal(layOutJson(text, 80), text);
});
