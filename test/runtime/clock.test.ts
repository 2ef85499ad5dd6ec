import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFrequentClock } from '../../runtime/clock.js';

const HOUR_MS = 3_600_000;

function createMachine() {
  let [wallMs, monotonicMs, sleptMs, reads] = [1_000_000, 500, 0, 0];
  const clock = createFrequentClock({
    nowMs: () => wallMs,
    monotonicMs: () => monotonicMs,
    sinceBootMs() {
      reads += 1;
      return monotonicMs + sleptMs;
    },
  });
  return {
    clock,
    reads: () => reads,
    run(ms: number) {
      wallMs += ms;
      monotonicMs += ms;
    },
    suspend(ms: number) {
      wallMs += ms;
      sleptMs += ms;
    },
    setWallClock(ms: number) {
      wallMs += ms;
    },
  };
}

test('a clock that is asked often reads the time since the start seldom, and tells it exactly', () => {
  const { clock, reads, run } = createMachine();

  for (let asked = 0; asked < 1_000; asked += 1) {
    assert.equal(clock.sinceBootMs(), clock.monotonicMs());
    run(1);
  }

  assert.equal(reads(), 1);
});

test('promise 9: a clock that is asked often notices a suspend at the first look after it', () => {
  const { clock, run, suspend } = createMachine();
  const before = clock.sinceBootMs();

  run(5);
  suspend(2 * HOUR_MS);

  assert.equal(clock.sinceBootMs(), before + 5 + 2 * HOUR_MS);
});

test('promises 9 and 17: somebody who sets the wall clock back by the time of a suspend hides it for a second at most', () => {
  const { clock, run, suspend, setWallClock } = createMachine();
  const before = clock.sinceBootMs();

  suspend(HOUR_MS);
  setWallClock(-HOUR_MS);
  run(1_000);

  assert.equal(clock.sinceBootMs(), before + 1_000 + HOUR_MS);
});
