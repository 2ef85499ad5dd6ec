import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { path } from '../../../controller/integrations/path.js';
import { isMusterError } from '../../../protocol/errors.js';
import { assertThrowsCode } from '../../support/assert-code.js';

test('what is filled into a path is encoded', () => {
  assert.equal(path`/issues/${'a:b@c&d'}/events/${7}/`, '/issues/a%3Ab%40c%26d/events/7/');
  assert.equal(path`/`, '/');
});

test('what could leave its place in a path is refused', () => {
  const hostile = ['', '.', '..', '..;', '../..', 'a/b', 'a\\b', '%2e%2e', 'a?b', 'a#b', 'a b', 'a\nb', '\ud800'];
  for (const text of [...hostile, '\u202e', 'x'.repeat(201)]) {
    assertThrowsCode(() => path`/issues/${text}/`, 'invalid_parameter');
  }
});

test('whatever is filled in, the address stays below its place', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const made = attempt(() => path`/issues/${text}/events/`);
      if (made === undefined) return;
      const { pathname, search, hash } = new URL(`http://system.example/api${made}`);
      assert.match(pathname, /^\/api\/issues\/[^/]+\/events\/$/);
      assert.equal(`${search}${hash}`, '');
    }),
    { numRuns: 50 },
  );
});

function attempt(make: () => string): string | undefined {
  try {
    return make();
  } catch (error) {
    if (isMusterError(error, 'invalid_parameter')) return undefined;
    throw error;
  }
}
