import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { buildBrokenAgent } from './broken-agent.js';
import { CONTROLS } from './controls.js';
import { SCENARIOS } from './scenarios.js';

test('a breakage that does not find its piece of source exactly once fails the build', async (t) => {
  const outfile = join(temporaryDirectory(t), 'agent.cjs');
  const file = 'agent/outbox.ts';

  await assert.rejects(buildBrokenAgent(outfile, [{ file, good: 'no such source', bad: '' }]), /exactly once/);
  await assert.rejects(buildBrokenAgent(outfile, [{ file, good: 'const ', bad: '' }]), /exactly once/);
  await assert.rejects(buildBrokenAgent(outfile, [{ file: 'broker/start.ts', good: '', bad: '' }]), /no part of/);
  assert.ok(!existsSync(outfile));
});

test('every negative control builds and names a scenario', async (t) => {
  for (const { name, breakages, caughtBy } of CONTROLS) {
    const outfile = join(temporaryDirectory(t), 'agent.cjs');
    await buildBrokenAgent(outfile, breakages);
    assert.ok(existsSync(outfile), name);
    assert.ok(
      SCENARIOS.some((scenario) => scenario.name === caughtBy),
      caughtBy,
    );
  }
});
