import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fitJson } from '../../../controller/integrations/fit.js';

const LIMIT = 10 * 1024;

test('what fits stays as it is', () => {
  const value = { issues: [{ id: '1', count: 3, open: true, owner: null }] };
  assert.deepEqual(fitJson(value, LIMIT), { value, isCut: false });
});

test('A-62, S-A-27: what is longer than 10 KB is cut to a beginning that is JSON, and says so', () => {
  const issues = Array.from({ length: 1000 }, (_, index) => ({ id: String(index), title: 'The pump is loud' }));
  const { value, isCut } = fitJson({ issues, cursor: 'next' }, LIMIT);

  const text = JSON.stringify(value);
  assert.ok(isCut && Buffer.byteLength(text) <= LIMIT && text.length > LIMIT - 500, String(text.length));
  assert.deepEqual(Object.keys(Object(value)), ['issues']);
  assert.deepEqual(Object(value).issues.slice(0, 2), issues.slice(0, 2));
});

test('a single text that is too long loses its end, and no character is split', () => {
  const { value, isCut } = fitJson('🛢'.repeat(5000), LIMIT);
  assert.equal(isCut, true);
  assert.match(String(value), /^🛢+…$/u);
  assert.ok(Buffer.byteLength(JSON.stringify(value)) <= LIMIT);
});

test('any value fits, and is JSON whatever the limit is', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), fc.integer({ min: 24, max: 400 }), (any, limit) => {
      const given: unknown = JSON.parse(JSON.stringify(any));
      const { value, isCut } = fitJson(given, limit);
      const text = JSON.stringify(value);
      assert.ok(Buffer.byteLength(text) <= limit, `${text} is longer than ${limit}`);
      const fits = Buffer.byteLength(JSON.stringify(given)) <= limit;
      assert.equal(isCut, !fits);
      if (fits) assert.deepEqual(value, given);
    }),
  );
});
