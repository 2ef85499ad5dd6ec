import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logTime, parseSince } from '../../../../agent/actions/system/log-time.js';

const NOW_MS = new Date(2026, 2, 10, 12, 0, 0).getTime();

test('the time at the beginning of a line is read in the usual forms', () => {
  const utc = Date.parse('2026-01-31T12:00:00.250Z');
  const local = new Date(2026, 0, 31, 12, 0, 0).getTime();
  for (const [line, ms] of [
    ['2026-01-31T12:00:00.250Z started', utc],
    ['[2026-01-31T13:00:00.250+01:00] started', utc],
    ['2026-01-31 13:00:00,250123+0100 started', utc],
    ['2026-01-31 12:00:00 started', local],
    ['Jan 31 12:00:00 pump app[1]: started', local],
    ['<13>Jan 31 12:00:00 pump app[1]: started', local],
    ['Dec  1 00:00:00 pump app[1]: last year', new Date(2025, 11, 1).getTime()],
  ] as const)
    assert.equal(logTime(line, NOW_MS), ms, line);
});

test('a line without a time has none', () => {
  for (const line of [
    '',
    'started',
    '  at run (file.ts:1)',
    '2026-99-99T12:00:00Z',
    'Foo 31 12:00:00 x',
    'at 2026-01-31T12:00:00Z',
  ])
    assert.equal(logTime(line, NOW_MS), undefined, line);
});

test('since is a duration ago or a time', () => {
  assert.equal(parseSince('1h30m', NOW_MS), NOW_MS - 5_400_000);
  assert.equal(parseSince('2026-01-31T12:00:00Z', NOW_MS), Date.parse('2026-01-31T12:00:00Z'));
  for (const text of ['', '-1h', '0', '2026-01-31', '2026-01-31T12:00:00', '@5', 'yesterday'])
    assert.equal(parseSince(text, NOW_MS), undefined, text);
});
