import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { openTestJournal } from '../../support/journal.js';
import { runnable } from '../../support/runnable.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const EXECUTIONS = 30;
const MAX_BYTES = 1024 * 1024;

/** Calls of a compaction and which one of them is the last; the counts are of one thread. */
const POINTS = [
  ['rename', 2],
  ['rename', 9],
  ['fsync', 2],
  ['fsync', 9],
  ['unlink', 1],
  ['unlink', 7],
  ['pwrite64', 31],
  ['pwrite64', 77],
  ['fdatasync', 31],
  ['fdatasync', 78],
] as const;

test('a SIGKILL at any call of a compaction loses nothing (promise 7)', async (t) => {
  if (spawnSync('strace', ['-V']).status !== 0) return t.skip('killing at a call needs strace');
  const directory = temporaryDirectory(t);
  const ids = new Set<string>();

  for (const [call, when] of POINTS) {
    const { stdout, isTerminated } = await turnover(directory, `inject=${call}:signal=SIGKILL:when=${when}`);
    assert.ok(isTerminated, `killed at ${call} ${when}`);
    const told = stdout.split('\n').filter((line) => line.length === 36);
    for (const id of told) ids.add(id);

    const journal = await openTestJournal(t, directory, { maxBytes: MAX_BYTES });
    assert.deepEqual(
      [...ids].filter((id) => journal.find(id)?.state !== 'finished'),
      [],
      `after ${call} ${when}`,
    );
    for (const id of journal.unreceipted()) assert.equal(journal.resultOf(id)?.toString('utf8', 0, 36), id);
    for (const { id } of journal.leftOpen()) await journal.finish(id, Buffer.from(id), []);
    await journal.receipt(journal.unreceipted());
    await journal.close();
  }
  assert.ok(ids.size > 0);
  assert.ok(!readdirSync(join(directory, 'journal')).includes('00000001'), 'the journal was compacted');
  assert.deepEqual(
    readdirSync(directory).filter((name) => name.startsWith('journal.')),
    [],
  );
});

async function turnover(directory: string, inject: string): Promise<{ stdout: string; isTerminated: boolean }> {
  const { script, execArgv } = runnable(new URL('../../support/journal-turnover-child.ts', import.meta.url));
  const args = ['-f', '-qq', '-o', '/dev/null', '-e', inject, process.execPath, ...execArgv, script];
  const { stdout, isTerminated } = await execa('strace', [...args, directory, String(EXECUTIONS)], {
    env: { UV_THREADPOOL_SIZE: '1' }, // strace counts the calls of each thread
    reject: false,
  });
  return { stdout, isTerminated };
}
