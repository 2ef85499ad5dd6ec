import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { startTimers } from '../../controller/timers.js';
import { createLogger } from '../../runtime/logger.js';

test('A-102, S-A-31: the sweeper works while the controller does, also after a sweep has failed, and says nothing when there is nothing', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const lines: string[] = [];
  const log = createLogger('controller', { destination: { write: (line) => void lines.push(line) } });
  let sweeps = 0;
  const second = async (): Promise<void> => {
    t.mock.timers.tick(1_000);
    await setImmediate();
  };

  const stop = startTimers(
    {
      tick: () => undefined,
      async sweep() {
        sweeps += 1;
        if (sweeps === 2) throw new Error('the disk is full');
      },
      tidy: async () => undefined,
    },
    log,
  );
  await second();
  assert.deepEqual([sweeps, lines], [1, []]);
  await second();
  await second();
  assert.deepEqual([sweeps, lines.length], [3, 1]);
  assert.match(lines[0] ?? '', /"msg":"sweep failed"/);

  stop();
  await second();
  assert.equal(sweeps, 3);
});
