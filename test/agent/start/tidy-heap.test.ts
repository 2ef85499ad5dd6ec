import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { pino } from 'pino';
import { tidyHeap } from '../../../agent/start/tidy-heap.js';
import { createStops } from '../../../agent/stops.js';

const LOOK_MS = 10_000;
const log = pino({ level: 'silent' });

/** What `node --expose-gc` offers, with a count of its calls, until the end of the test. */
function exposeGc(t: TestContext): () => number {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  let calls = 0;
  globalThis.gc = async () => {
    assert.ok(typeof collect === 'function');
    calls += 1;
    collect();
  };
  t.after(() => {
    globalThis.gc = undefined;
  });
  return () => calls;
}

/** Something of some MiB that nobody holds. */
async function litter(): Promise<WeakRef<object>> {
  const litter = new WeakRef(Array.from({ length: 500_000 }, (_, at) => ({ at })));
  await nextTurn(); // until then it is held
  return litter;
}

test('what work has left is collected at the next look, and nothing when little was left', async (t) => {
  const calls = exposeGc(t);
  t.mock.timers.enable({ apis: ['setInterval'] });
  const stops = createStops();
  tidyHeap({ log, stops });
  t.mock.timers.tick(LOOK_MS);
  t.mock.timers.tick(LOOK_MS);
  assert.equal(calls(), 1); // the start itself has left something

  const left = await litter();
  t.mock.timers.tick(LOOK_MS);
  assert.equal(left.deref(), undefined);
  assert.equal(calls(), 2);

  await stops.all();
  await litter();
  t.mock.timers.tick(LOOK_MS);
  assert.equal(calls(), 2);
});
