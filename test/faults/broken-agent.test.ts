import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { buildBrokenAgent } from './broken-agent.js';

test('a breakage that does not find its piece of source exactly once fails the build', async (t) => {
  const outfile = join(temporaryDirectory(t), 'agent.cjs');
  const file = 'agent/outbox.ts';

  await assert.rejects(buildBrokenAgent(outfile, [{ file, good: 'no such source', bad: '' }]), /exactly once/);
  await assert.rejects(buildBrokenAgent(outfile, [{ file, good: 'const ', bad: '' }]), /exactly once/);
  await assert.rejects(buildBrokenAgent(outfile, [{ file: 'broker/start.ts', good: '', bad: '' }]), /no part of/);
  assert.ok(!existsSync(outfile));
});
