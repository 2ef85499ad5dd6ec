import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ActionName, ExecutionId, Id, isId, Sha256Hex, Time, toId, Uuid } from '../../protocol/ids.js';

const REFUSED_IDS = [
  '',
  'a+',
  '#',
  'a#b',
  'a/b',
  '$SYS',
  'a$',
  'a.b',
  '-a',
  '_a',
  'a b',
  'a\n',
  'a\0',
  'é',
  'a'.repeat(64),
];

test('an id is one safe topic level of at most 63 characters (S-M-17)', () => {
  for (const text of ['a', '0', 'pump-7', 'Pump_7', 'a'.repeat(63)]) assert.ok(isId(text), text);
  for (const text of REFUSED_IDS) {
    assert.equal(isId(text), false, JSON.stringify(text));
    assert.equal(Id.safeParse(text).success, false, JSON.stringify(text));
  }
});

test('an action name may hold dots, and nothing else that an id may not', () => {
  assert.ok(ActionName.safeParse('backup.run').success);
  for (const text of REFUSED_IDS.filter((each) => each !== 'a.b')) {
    assert.equal(ActionName.safeParse(text).success, false, JSON.stringify(text));
  }
  assert.equal(ActionName.safeParse('..').success, false);
});

test('an execution id is a lower-case UUIDv7 and nothing else', () => {
  const good = '0192f0c1-2b3c-7d4e-8f50-6172839405a6';
  assert.ok(ExecutionId.safeParse(good).success);
  const bad = [
    good.toUpperCase(),
    good.replace('-7d', '-4d'),
    good.replace('-8f', '-cf'),
    `${good}\n`,
    `${good}/x`,
    '',
  ];
  for (const text of bad) assert.equal(ExecutionId.safeParse(text).success, false, JSON.stringify(text));
  assert.ok(Uuid.safeParse(good.replace('-7d', '-4d')).success);
});

test('a time is RFC 3339 in UTC and exists in the calendar', () => {
  for (const text of ['2026-11-21T10:00:00Z', '2026-11-21T10:00:00.123456Z', '2028-02-29T00:00:00Z']) {
    assert.ok(Time.safeParse(text).success, text);
    assert.ok(Number.isFinite(Date.parse(text)), text);
  }
  const bad = ['2026-11-21', '2026-11-21T10:00:00', '2026-11-21T10:00:00+01:00', '2026-02-30T00:00:00Z', 'now', ''];
  for (const text of bad) assert.equal(Time.safeParse(text).success, false, text);
});

test('a SHA-256 is 64 lower-case hex digits', () => {
  assert.ok(Sha256Hex.safeParse('0f'.repeat(32)).success);
  for (const text of ['0F'.repeat(32), '0f'.repeat(31), `${'0f'.repeat(32)}\n`])
    assert.equal(Sha256Hex.safeParse(text).success, false, text);
});

test('any host name becomes an id, and an id stays as it is', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (host) => isId(toId(host))));
  fc.assert(fc.property(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/), (id) => toId(id) === id));
  assert.equal(toId('pump.site north'), 'pump-site-north');
  assert.equal(toId('...'), 'node');
});
