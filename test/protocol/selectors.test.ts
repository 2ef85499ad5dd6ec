import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { describeSelector } from '../../protocol/describe-selector.js';
import { Labels, matches, parseLabel, Selector } from '../../protocol/selectors.js';
import { assertThrowsCode } from '../support/assert-code.js';

const NODE = { node: 'pump-7', groups: ['pumps'], labels: { site: 'north', model: 'x' } };

test('each kind of selector names the nodes it says', () => {
  assert.ok(matches({ fleet: true }, NODE));
  assert.ok(matches({ nodes: ['a', 'pump-7'] }, NODE));
  assert.ok(matches({ group: 'pumps' }, NODE));
  assert.ok(matches({ labels: { site: 'north', model: 'x' } }, NODE));
  assert.equal(matches({ nodes: ['pump-70'] }, NODE), false);
  assert.equal(matches({ group: 'valves' }, NODE), false);
  assert.equal(matches({ labels: { site: 'north', model: 'y' } }, NODE), false);
});

test('a label that only the prototype has matches nothing', () => {
  for (const key of ['constructor', 'toString', 'hasOwnProperty'])
    assert.equal(matches({ labels: { [key]: '' } }, NODE), false);
});

test('a selector holds exactly one of the four and is never empty', () => {
  const refused = [
    {},
    { nodes: [] },
    { labels: {} },
    { fleet: false },
    { group: 'a', fleet: true },
    { nodes: ['a/b'] },
    { group: '+' },
    { nodes: ['a'], extra: 1 },
    { labels: { 'a b': 'x' } },
    null,
  ];
  for (const selector of refused) assert.equal(Selector.safeParse(selector).success, false, JSON.stringify(selector));
});

test('a node carries at most 64 labels', () => {
  const labels = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']));
  assert.ok(Labels.safeParse(labels(64)).success);
  assert.equal(Labels.safeParse(labels(65)).success, false);
});

test('a label on the command line is cut at the first equals sign', () => {
  assert.deepEqual(parseLabel('site=north=1'), ['site', 'north=1']);
  assert.deepEqual(parseLabel('site='), ['site', '']);
  for (const text of ['site', '=north', '', 'a b=c', `k=${'v'.repeat(257)}`])
    assertThrowsCode(() => parseLabel(text), 'usage');
});

test('parseLabel inverts key=value for every label', () => {
  const key = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_./-]{0,62}$/);
  fc.assert(
    fc.property(key, fc.string({ maxLength: 128 }), (name, value) => {
      assert.deepEqual(parseLabel(`${name}=${value}`), [name, value]);
    }),
  );
});

test('a selector is described in words', () => {
  assert.equal(describeSelector({ fleet: true }), 'the fleet');
  assert.equal(describeSelector({ group: 'pumps' }), 'group pumps');
  assert.equal(describeSelector({ labels: { site: 'north' } }), 'labels site=north');
  assert.equal(describeSelector({ nodes: ['a', 'b'] }), 'nodes a, b');
  assert.equal(describeSelector({ nodes: ['a', 'b', 'c', 'd', 'e', 'f', 'g'] }), 'nodes a, b, c, d, e and 2 more');
});
