import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fullJitterMs, spreadBackoffMs } from '../../runtime/backoff.js';

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('full jitter waits between nothing and a ceiling that doubles up to the cap', () => {
  const ceiling = (failures: number) => fullJitterMs(failures, { baseMs: 500, capMs: 30_000, random: () => 1 });
  assert.deepEqual([0, 1, 2, 5, 6, 7, 1e9].map(ceiling), [500, 1000, 2000, 16_000, 30_000, 30_000, 30_000]);
  fc.assert(
    fc.property(fc.nat(), random, (failures, part) => {
      const waitMs = fullJitterMs(failures, { baseMs: 500, capMs: 30_000, random: () => part });
      assert.ok(waitMs >= 0 && waitMs <= 30_000);
    }),
  );
});

test('a repeated offer comes after a doubling delay that varies by a fifth', () => {
  fc.assert(
    fc.property(fc.nat(), random, (attempts, part) => {
      const middleMs = Math.min(30_000, 1000 * 2 ** Math.min(attempts, 30));
      const waitMs = spreadBackoffMs(attempts, { baseMs: 1000, capMs: 30_000, random: () => part });
      assert.ok(waitMs >= 0.8 * middleMs - 1e-6 && waitMs <= 1.2 * middleMs);
    }),
  );
});
