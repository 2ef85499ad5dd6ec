import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ActionPattern, fitsAny } from '../../../controller/policy/glob.js';

const FITTING = [
  ['reboot', 'reboot'],
  ['*', 'anything.at-all'],
  ['service_*', 'service_restart'],
  ['service_*', 'service_'],
  ['*_restart', 'service_restart'],
  ['a*b*c', 'aXbXbc'],
  ['?ing', 'ping'],
  ['**', 'x'],
] as const;
const OTHER = [
  ['reboot', 'reboots'],
  ['reboot', 'Reboot'],
  ['service_*', 'xservice_a'],
  ['?ing', 'ing'],
  ['a.c', 'abc'],
  ['a*b', 'aXbX'],
] as const;

test('a star stands for any characters or none, a question mark for one, and all else for itself', () => {
  for (const [pattern, name] of FITTING) assert.ok(fitsAny([pattern], name), `${pattern} ${name}`);
  for (const [pattern, name] of OTHER) assert.ok(!fitsAny([pattern], name), `${pattern} ${name}`);
  assert.ok(fitsAny(['x', 'reboot'], 'reboot'));
});

test('patterns decide as the regular expression of the same meaning does', () => {
  const text = fc
    .array(fc.constantFrom('a', 'b', '.', '-'), { minLength: 1, maxLength: 12 })
    .map((each) => each.join(''));
  const glob = fc
    .array(fc.constantFrom('a', 'b', '.', '*', '?'), { minLength: 1, maxLength: 10 })
    .map((each) => each.join(''));
  fc.assert(
    fc.property(glob, text, (pattern, name) => {
      const oracle = pattern.replaceAll('.', '\\.').replaceAll('*', '.*').replaceAll('?', '.');
      assert.equal(fitsAny([pattern], name), new RegExp(`^${oracle}$`).test(name));
    }),
    { numRuns: 2_000 },
  );
});

test('a pattern that would keep a backtracking matcher busy for years is decided at once', () => {
  assert.equal(fitsAny([`${'*a'.repeat(31)}b`], 'a'.repeat(63)), false);
});

test('a pattern holds what a name may hold, and the two signs', () => {
  for (const pattern of ['', 'a b', '[ab]', 'a:b', 'ä', 'x'.repeat(128), '{a,b}']) {
    assert.equal(ActionPattern.safeParse(pattern).success, false, pattern);
  }
});
