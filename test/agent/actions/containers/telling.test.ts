import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTelling, type Difference } from '../../../../agent/actions/containers/telling.js';

/** A telling by a clock that a test sets; what is listed has no meaning here, `differs` says what is other. */
function start() {
  let nowMs = 1_000;
  let differs: Difference = 'nothing';
  const told: { atMs: number; isRestless: boolean }[] = [];
  const take = createTelling({
    compare: () => differs,
    tell: (_, isRestless) => void told.push({ atMs: nowMs, isRestless }),
    clock: { nowMs: () => 0, monotonicMs: () => nowMs },
  });
  return {
    told,
    /** A look after so long, which finds this. */
    look(afterMs: number, finds: Difference) {
      nowMs += afterMs;
      differs = finds;
      return take([]);
    },
  };
}

test('another container is told of at once, and the next look waits for nothing', () => {
  const { told, look } = start();

  assert.deepEqual(look(0, 'containers'), { pauseMs: 0 });
  assert.deepEqual(look(60_000, 'containers'), { pauseMs: 0 });
  assert.deepEqual(
    told.map(({ isRestless }) => isRestless),
    [false, false],
  );
});

test('S-D: while containers come without rest each is told of 5 s late at most, and it is said that there may be more', () => {
  const { told, look } = start();

  const pauses: number[] = [];
  for (let at = 0; at < 60; at += 1) pauses.push(look(200 + (pauses.at(-1) ?? 0), 'containers').pauseMs);

  assert.deepEqual(pauses.slice(0, 4), [0, 4_000, 5_000, 5_000]);
  assert.equal(Math.max(...pauses), 5_000);
  assert.deepEqual(
    told.map(({ isRestless }) => isRestless),
    [false, ...Array.from({ length: 59 }, () => true)],
    'no wait without it',
  );
});

test('after a rest it is told once more, that there are no others', () => {
  const { told, look } = start();
  look(0, 'containers');
  const { pauseMs, againMs = 0 } = look(1_000, 'containers');
  assert.deepEqual([pauseMs, againMs], [4_000, 8_000]);

  assert.deepEqual(look(pauseMs, 'nothing'), { pauseMs: 0, againMs: 4_000 });
  assert.deepEqual(look(4_000, 'nothing'), { pauseMs: 0 });
  assert.deepEqual(look(4_000, 'nothing'), { pauseMs: 0 });

  assert.deepEqual(
    told.map(({ isRestless }) => isRestless),
    [false, true, false],
  );
});

test('what containers do is told less and less often, is looked at twice a second, and holds up no container that comes', () => {
  const { told, look } = start();
  for (let at = 0; at < 600; at += 1) assert.equal(look(2_200, 'states').pauseMs, 500);
  const calls = told.length;
  assert.ok(calls > 8 && calls < 25, `${calls} in 22 min`);

  const held = look(2_200, 'states');
  assert.ok((held.againMs ?? 0) > 0, 'what is held back is looked at when it is due');
  look(200, 'containers');

  assert.equal(told.length, calls + 1);
  assert.equal(told.at(-1)?.isRestless, false);
});
