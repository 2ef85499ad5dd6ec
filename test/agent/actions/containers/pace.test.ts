import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPace, STATES_GAPS } from '../../../../agent/actions/containers/pace.js';

test('states that change without rest are told after 2 s, then twice as long each time up to 2 min, and after a rest after 2 s again', () => {
  let nowMs = 1_000;
  const pace = createPace({ nowMs: () => 0, monotonicMs: () => nowMs }, STATES_GAPS);
  const gaps: number[] = [];
  for (let changes = 0; changes < 9; changes += 1) {
    const gapMs = pace();
    gaps.push(gapMs);
    nowMs += gapMs + 300;
  }

  assert.deepEqual(gaps, [2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 120_000, 120_000, 120_000]);
  nowMs += 240_000;
  assert.equal(pace(), 2_000);
});
