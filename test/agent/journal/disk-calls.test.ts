import assert from 'node:assert/strict';
import fs, { readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createSpill } from '../../../agent/journal/spill.js';
import { createLogger } from '../../../runtime/logger.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { journalRequest, openTestJournal } from '../../support/journal.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

test('the name of each directory that a new journal makes is on disk before the journal is open (promise 4)', async (t) => {
  const directory = temporaryDirectory(t);
  const calls = watchDirectories(t);

  const journal = await openTestJournal(t, directory);
  await journal.close();

  const made = calls.filter(({ call }) => call === 'mkdir').map(({ path }) => path);
  assert.deepEqual(made.sort(), [join(directory, 'journal'), join(directory, 'output')]);
  for (const path of made) {
    const after = calls.slice(calls.findIndex((each) => each.call === 'mkdir' && each.path === path));
    assert.ok(
      after.some((each) => each.call === 'fsync' && each.path === dirname(path)),
      path,
    );
  }
});

test('output that the disk does not sync is not kept, nor is the result that it belongs to (promise 7)', async (t) => {
  const directory = temporaryDirectory(t);
  const journal = await openTestJournal(t, directory);
  const request = journalRequest();
  await journal.accept(request);
  const { mock } = await failDatasync(t, directory);

  await assertRejectsCode(journal.finish(request.id, Buffer.from('{}'), [Buffer.from('out')]), 'storage_failed');
  assert.deepEqual([journal.find(request.id)?.state, journal.unreceipted()], ['starting', []]);
  assert.deepEqual(readdirSync(join(directory, 'output')), []);

  mock.restore();
  await journal.finish(request.id, Buffer.from('{}'), [Buffer.from('out')]);
  assert.deepEqual([...journal.outputOf(request.id)], [Buffer.from('out')]);
});

test('output is synced once, after its last piece', async (t) => {
  const directory = temporaryDirectory(t);
  const { mock } = await failDatasync(t, directory);
  const pieces: number[] = [];
  function* payloads(): Generator<Buffer> {
    for (const piece of [1, 2, 3]) {
      pieces.push(mock.callCount());
      yield Buffer.from([piece]);
    }
  }

  await assert.rejects(createSpill(directory, createLogger('agent', { level: 'silent' })).write('id', payloads()), {
    code: 'EIO',
  });

  assert.deepEqual([pieces, mock.callCount()], [[0, 0, 0], 1]);
});

/** From now on the disk takes bytes and says EIO when they are to be synced. */
async function failDatasync(t: TestContext, directory: string) {
  const handle = await open(directory);
  const prototype: Pick<typeof handle, 'datasync'> = Object.getPrototypeOf(handle);
  await handle.close();
  return t.mock.method(prototype, 'datasync', () =>
    Promise.reject(Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })),
  );
}

type Call = Readonly<{ call: 'mkdir' | 'fsync'; path: string }>;

/** The directories that are made, and the files that are synced, in order. */
function watchDirectories(t: TestContext): readonly Call[] {
  const calls: Call[] = [];
  const names = new Map<number, string>();
  const { mkdirSync, openSync, fsyncSync } = fs;
  t.mock.method(fs, 'mkdirSync', (...args: Parameters<typeof mkdirSync>) => {
    const made = mkdirSync(...args);
    calls.push({ call: 'mkdir', path: String(args[0]) });
    return made;
  });
  t.mock.method(fs, 'openSync', (...args: Parameters<typeof openSync>) => {
    const descriptor = openSync(...args);
    names.set(descriptor, String(args[0]));
    return descriptor;
  });
  t.mock.method(fs, 'fsyncSync', (descriptor: number) => {
    fsyncSync(descriptor);
    calls.push({ call: 'fsync', path: names.get(descriptor) ?? '' });
  });
  syncBuiltinESMExports(); // what was imported by name follows
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  return calls;
}
