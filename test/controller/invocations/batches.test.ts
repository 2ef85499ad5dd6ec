import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Batch } from '../../../controller/http/batch-schemas.js';
import { batchesOf, shareOf } from '../../../controller/invocations/batches.js';

test('every node is in one batch, and none is larger than its size', () => {
  const share = fc.oneof(
    fc.integer({ min: 1, max: 500 }),
    fc.integer({ min: 1, max: 100 }).map((percent) => `${percent}%`),
  );
  fc.assert(
    fc.property(share, fc.integer({ min: 1, max: 500 }), (size, total) => {
      const { size: each, count } = batchesOf(Batch.parse({ size }), total);
      assert.ok(each >= 1 && each * count >= total && each * (count - 1) < total);
    }),
  );
});

test('a percentage is of all nodes: a size is rounded up, an allowance of failures down', () => {
  assert.equal(shareOf('10%', 25, 'up'), 3);
  assert.equal(shareOf('10%', 25, 'down'), 2);
  assert.equal(shareOf('100%', 25, 'down'), 25);
  assert.equal(shareOf('0%', 25, 'down'), 0);
  assert.equal(shareOf(7, 25, 'up'), 7);
  assert.equal(batchesOf(Batch.parse({ size: 3 }), 25).maxFailed, 0);
});

test('a batch that is no share, or has unknown fields, is refused', () => {
  const wrong = [
    { size: 0 },
    { size: '0%' },
    { size: '101%' },
    { size: '5' },
    { size: -1 },
    { size: 1.5 },
    { size: '1e1%' },
    { size: 1e9 },
    { size: 1, pause: '0s' },
    { size: 1, max_failed: -1 },
    { size: 1, max_failed: '%' },
    { size: 1, speed: 2 },
    {},
  ];
  for (const each of wrong) assert.equal(Batch.safeParse(each).success, false, JSON.stringify(each));
});
