import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDuration, PositiveDuration, parseDuration, TimeoutDuration } from '../../protocol/durations.js';

/** Text → milliseconds, as Go's time.ParseDuration reads it. */
const READABLE = new Map([
  ['0', 0],
  ['+0', 0],
  ['-0', 0],
  ['0s', 0],
  ['5s', 5000],
  ['+5s', 5000],
  ['-5s', -5000],
  ['5.0s', 5000],
  ['5.s', 5000],
  ['.5s', 500],
  ['-.5s', -500],
  ['1.5h', 5_400_000],
  ['300ms', 300],
  ['10ns', 1e-5],
  ['11us', 0.011],
  ['12\u00b5s', 0.012],
  ['12\u03bcs', 0.012],
  ['1h2m3s4ms', 3_723_004],
  ['3s1h', 3_603_000],
  ['1m1m', 120_000],
  ['2562047h', 2_562_047 * 3_600_000],
]);

const UNREADABLE = [
  '',
  '3',
  '-',
  '+',
  's',
  '.',
  '-.',
  '.s',
  '+.s',
  '1d',
  '1 s',
  ' 1s',
  '1s ',
  '1e3s',
  '0x1s',
  '1S',
  '--1s',
];

test('durations are read as Go reads them (P-90)', () => {
  for (const [text, ms] of READABLE) assert.ok(Math.abs((parseDuration(text) ?? Number.NaN) - ms) < 1e-9, text);
  for (const text of UNREADABLE) assert.equal(parseDuration(text), undefined, JSON.stringify(text));
});

test('what Go refuses as too large is unreadable here too', () => {
  for (const text of ['2562048h', '9223372037s', `${'9'.repeat(60)}h`, '1'.repeat(70)])
    assert.equal(parseDuration(text), undefined, text);
});

test('parseDuration inverts formatDuration for every millisecond', () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e12, max: 1e12 }), (ms) => {
      assert.equal(parseDuration(formatDuration(ms)), ms === 0 ? 0 : ms);
    }),
  );
});

test('a duration is written in its shortest form', () => {
  const written = new Map([
    [0, '0s'],
    [1, '1ms'],
    [1500, '1.5s'],
    [90_000, '1m30s'],
    [3_600_000, '1h'],
    [-2000, '-2s'],
    [0.25, '0.25ms'],
  ]);
  for (const [ms, text] of written) assert.equal(formatDuration(ms), text);
});

test('a time-out on the wire may be unreadable, but neither zero nor negative', () => {
  for (const text of ['30s', '', 'soon', '1e3s']) assert.ok(TimeoutDuration.safeParse(text).success, text);
  for (const text of ['0', '0s', '-1s', 'x'.repeat(65)])
    assert.equal(TimeoutDuration.safeParse(text).success, false, text);
});

test('a setting or a spread must be readable and above zero', () => {
  assert.ok(PositiveDuration.safeParse('1ns').success);
  for (const text of ['', 'soon', '0', '0ms', '-1s'])
    assert.equal(PositiveDuration.safeParse(text).success, false, text);
});
