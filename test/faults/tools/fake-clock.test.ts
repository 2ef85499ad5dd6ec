import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { z } from 'zod';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { createFakeClock, lacksFakeClock } from './fake-clock.js';

const YEARS_MS = 10 * 365 * 86_400_000;
const TELLS = 'process.stdin.on("data", () => console.log(JSON.stringify([Date.now(), performance.now()])))';
const Told = z.tuple([z.number(), z.number()]);

test('the wall clock of a running process jumps, its monotonic clock does not', async (t) => {
  const lacks = lacksFakeClock();
  if (lacks !== undefined) return t.skip(lacks);
  const clock = createFakeClock(join(temporaryDirectory(t), 'clock'));
  const child = spawn(process.execPath, ['-e', TELLS], { env: clock.env, stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const ask = async (): Promise<[number, number]> => {
    child.stdin.write('?');
    const { value } = await lines.next();
    return Told.parse(JSON.parse(String(value)));
  };

  let lastMs = 0;
  for (const offsetMs of [0, YEARS_MS, -YEARS_MS, 120_500, 0]) {
    clock.shift(offsetMs);
    const [wallMs, monotonicMs] = await ask();
    assert.ok(Math.abs(wallMs - Date.now() - offsetMs) < 60_000, `shifted by ${offsetMs}`);
    assert.ok(monotonicMs >= lastMs && monotonicMs < 600_000);
    lastMs = monotonicMs;
  }
});
