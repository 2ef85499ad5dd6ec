import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { createPart } from './part.js';

const READY = "process.on('SIGTERM', () => process.exit(0)); process.send({ ready: {} }); setInterval(() => {}, 1e6);";

test('a part is found below its wrapper, killed with it, and started again; its lives say how each ended and when it stood still', async (t) => {
  const part = createPart(
    {
      argv: [process.execPath, '-e', READY],
      env: { PATH: process.env.PATH ?? '' },
      wrap: (argv) => ['sh', '-c', '"$@"; exit $?', 'wrapper', ...argv],
    },
    { name: 'part', logFile: join(temporaryDirectory(t), 'log') },
  );
  t.after(() => part.kill('SIGKILL'));

  await part.start();
  await part.kill('SIGKILL');
  await part.start({ wrap: (argv) => argv });
  part.pause();
  part.resume();
  const end = await part.kill('SIGTERM');

  assert.deepEqual(end, { code: 0, signal: null });
  assert.deepEqual(
    part.lives().map((life) => life.end),
    ['crashed', 'stopped'],
  );
  const [{ fromMs = 0, toMs = 0 } = {}] = part.lives()[1]?.pauses ?? [];
  assert.ok(fromMs > 0 && toMs >= fromMs, 'it stood still, and went on');
});

test('a part that ends before it can be used says so', async (t) => {
  const part = createPart(
    { argv: [process.execPath, '-e', '0'], env: {} },
    { name: 'part', logFile: join(temporaryDirectory(t), 'log') },
  );

  assert.equal(await part.tryStart(), false);
  await assert.rejects(part.start(), /ended before it said ready/);
  assert.equal(part.isRunning(), false);
});
