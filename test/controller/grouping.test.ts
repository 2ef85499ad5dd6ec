import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fewSizesOf, groupBy, padded, slicesOf } from '../../controller/grouping.js';

const COUNTS = Array.from({ length: 300 }, (_, count) => count);

test('slices of few sizes hold every item once, in order, and are powers of two up to the most', () => {
  for (const count of COUNTS) {
    const items = COUNTS.slice(0, count);
    const slices = [...fewSizesOf(items, 64)];
    assert.deepEqual(slices.flat(), items);
    for (const { length } of slices) assert.ok([1, 2, 4, 8, 16, 32, 64].includes(length), `${length} of ${count}`);
  }
});

test('a padded list has the same items, and one of few lengths', () => {
  for (const count of COUNTS) {
    const items = COUNTS.slice(0, count);
    const list = padded(items);
    assert.deepEqual([...new Set(list)], items);
    assert.ok(count === 0 ? list.length === 0 : Number.isInteger(Math.log2(list.length)), `${list.length}`);
    assert.ok(list.length < 2 * Math.max(1, count));
  }
});

test('slices and groups keep the order of their items', () => {
  assert.deepEqual([...slicesOf([1, 2, 3, 4, 5], 2)], [[1, 2], [3, 4], [5]]);
  assert.deepEqual(
    [...groupBy([1, 2, 3, 4, 5], (n) => n % 2)],
    [
      [1, [1, 3, 5]],
      [0, [2, 4]],
    ],
  );
});
