import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toSelector } from '../../cli/target.js';
import { ParameterSpec } from '../../protocol/messages/parameters.js';
import { readParameters, toParameters } from '../../runtime/parameters.js';
import { assertThrowsCode } from '../support/assert-code.js';

const SPECS = (['string', 'number', 'integer', 'boolean', 'ip'] as const).map((type) =>
  ParameterSpec.parse({ name: type, type }),
);

const typed = (...words: string[]) => toParameters(readParameters(words), SPECS);

test('values take the type that the action announces', () => {
  assert.deepEqual(typed('string=5', 'number=1.5e3', 'integer=-7', 'boolean=true', 'ip=10.0.0.1'), {
    string: '5',
    number: 1500,
    integer: -7,
    boolean: true,
    ip: '10.0.0.1',
  });
});

test('what does not fit its type, and what is not announced, stays text for the controller to judge', () => {
  assert.deepEqual(typed('number=0x10', 'integer=', 'boolean=yes', 'other=1'), {
    number: '0x10',
    integer: '',
    boolean: 'yes',
    other: '1',
  });
  assert.deepEqual(typed('number=1e999'), { number: '1e999' });
});

test('only the first = separates a name from its value', () => {
  assert.deepEqual(typed('string=a=b=c', 'other='), { string: 'a=b=c', other: '' });
});

test('a word that is no parameter, and a parameter twice, are wrong usage', () => {
  for (const words of [['host'], ['=1'], ['a=1', 'a=2']]) assertThrowsCode(() => readParameters(words), 'usage');
});

test('exactly one kind of target is taken', () => {
  assert.deepEqual(toSelector({ node: ['a', 'b', 'a'] }), { nodes: ['a', 'b'] });
  assert.deepEqual(toSelector({ group: 'pumps' }), { group: 'pumps' });
  assert.deepEqual(toSelector({ label: ['site=north', 'tier=a=b'] }), { labels: { site: 'north', tier: 'a=b' } });
  assert.deepEqual(toSelector({ all: true }), { fleet: true });
  for (const options of [{}, { node: ['a'], all: true }, { group: 'g', label: ['a=b'] }, { label: ['nonsense'] }]) {
    assertThrowsCode(() => toSelector(options), 'usage');
  }
});
