import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { z } from 'zod';
import { assertRejectsCode } from '../../support/assert-code.js';
import type { TestScope } from '../../support/broker.js';
import { startChild } from '../../support/child.js';
import { journalRequest, openTestJournal } from '../../support/journal.js';
import { runnable } from '../../support/runnable.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const ROUNDS = 4;
const MESSAGES_PER_ROUND = 300;

const Told = z.union([z.object({ accepted: z.string() }), z.object({ finished: z.string() })]);

test('what was acknowledged before a SIGKILL is there after it (promises 4 and 7)', async (t) => {
  const directory = temporaryDirectory(t);
  const accepted = new Set<string>();
  const finished = new Set<string>();

  for (let round = 1; round <= ROUNDS; round += 1) {
    const writer = startChild(t, './journal-writer-child.ts', [directory]);
    writer.child.on('message', (message) => {
      const told = Told.parse(message);
      if ('accepted' in told) accepted.add(told.accepted);
      else finished.add(told.finished);
    });
    await until(() => accepted.size + finished.size >= round * MESSAGES_PER_ROUND, {
      what: 'records',
      deadlineMs: 30_000,
    });
    writer.child.kill('SIGKILL');
    await writer.ended;
  }

  const journal = await openTestJournal(t, directory);
  assert.deepEqual(
    [...accepted].filter((id) => journal.find(id) === undefined),
    [],
  );
  assert.deepEqual(
    [...finished].filter((id) => journal.resultOf(id)?.toString() !== `result of ${id}`),
    [],
  );
  assert.ok(journal.seq >= accepted.size);
});

test('requests that come together share their writes', async (t) => {
  const directory = temporaryDirectory(t);
  const journal = await openTestJournal(t, directory);
  const requests = Array.from({ length: 200 }, () => journalRequest());
  const before = statSync(join(directory, 'journal', '00000001')).size;
  await journal.accept(journalRequest());
  const alone = statSync(join(directory, 'journal', '00000001')).size - before;

  await Promise.all(requests.map(journal.accept));

  // Each write has a header of 44 bytes: two hundred records in a few writes take less than two hundred writes would.
  const together = statSync(join(directory, 'journal', '00000001')).size - before - alone;
  assert.ok(together < 200 * (alone - 44) + 10 * 44, `${together} bytes for 200 records, ${alone} for one alone`);
  await journal.close();
  const again = await openTestJournal(t, directory);
  assert.ok(requests.every(({ id }) => again.find(id)));
});

test('a full disk refuses new work, keeps what was acknowledged, and mends by itself (promise 16)', async (t) => {
  if (!mayMount()) return t.skip('mounting a small disk needs root');
  const directory = smallDisk(t, '2m');
  const journal = await openTestJournal(t, directory);
  const running = journalRequest();
  await journal.accept(running);
  const ballast = join(directory, 'ballast');
  fillDisk(ballast);

  const refused = journalRequest({ bytes: 10_000 });
  await assertRejectsCode(journal.accept(refused), 'storage_failed');
  assert.equal(journal.find(refused.id), undefined);
  await assertRejectsCode(journal.finish(running.id, Buffer.alloc(10_000, 'x'), []), 'storage_failed');
  await assertRejectsCode(journal.finish(running.id, Buffer.alloc(10), [Buffer.alloc(10_000)]), 'storage_failed');
  assert.equal(journal.find(running.id)?.state, 'starting');

  rmSync(ballast);
  await journal.finish(running.id, Buffer.alloc(10_000, 'x'), []);
  await journal.accept(refused);
  await journal.close();

  const again = await openTestJournal(t, directory);
  assert.deepEqual(again.unreceipted(), [running.id]);
  assert.equal(again.resultOf(running.id)?.length, 10_000);
  assert.deepEqual(
    again.leftOpen().map(({ id }) => id),
    [refused.id],
  );
});

test('a cancel and a receipt that a full disk did not take are written once it has room', async (t) => {
  if (!mayMount()) return t.skip('mounting a small disk needs root');
  const directory = smallDisk(t, '2m');
  const journal = await openTestJournal(t, directory);
  const [waiting, done] = [journalRequest({ starting: false }), journalRequest()];
  for (const request of [waiting, done]) await journal.accept(request);
  await journal.finish(done.id, Buffer.from('result'), []);
  const ballast = join(directory, 'ballast');
  fillDisk(ballast);
  const { id, expiresMs } = waiting;
  const large = journalRequest({ bytes: 10_000 });
  const isRefused = assertRejectsCode(journal.accept(large), 'storage_failed');
  await assertRejectsCode(journal.cancel({ id, reason: 'not needed', expiresMs }), 'storage_failed');
  await assertRejectsCode(journal.receipt([done.id]), 'storage_failed');
  await isRefused;

  rmSync(ballast);
  await journal.accept(large);
  await journal.close();

  const again = await openTestJournal(t, directory);
  assert.equal(again.find(id)?.cancelled, 'not needed');
  assert.equal(again.find(done.id)?.receipted, true);
});

test('a start that did not reach the disk is not counted', async (t) => {
  const directory = temporaryDirectory(t);
  const journal = await openTestJournal(t, directory);
  await journal.accept(journalRequest());

  const accepting = journal.accept(journalRequest());
  assert.equal(journal.seq, 1);
  await accepting;

  assert.equal(journal.seq, 2);
  await journal.close();
  assert.equal((await openTestJournal(t, directory)).seq, 2);
});

test('after a failed fdatasync nothing is appended to that file any more, and what failed does not count (promise 16)', async (t) => {
  if (!hasStrace()) return t.skip('making fdatasync fail needs strace');
  const directory = temporaryDirectory(t);
  const { script, execArgv } = runnable(new URL('../../support/journal-three-accepts-child.ts', import.meta.url));
  const inject = ['-f', '-qq', '-o', '/dev/null', '-e', 'inject=fdatasync:error=EIO:when=3'];

  const { stdout } = await execa('strace', [...inject, process.execPath, ...execArgv, script, directory], {
    env: { UV_THREADPOOL_SIZE: '1' }, // strace counts the calls of each thread
  });

  const { ids, ends, names } = ThreeAccepts.parse(JSON.parse(stdout));
  assert.deepEqual(ends, ['accepted', 'storage_failed', 'accepted']);
  assert.deepEqual(names, [['00000001'], ['00000001', '00000002']]);
  const journal = await openTestJournal(t, directory);
  assert.deepEqual(
    ids.map((id) => journal.find(id)?.state),
    ['starting', undefined, 'starting'],
  );
});

const ThreeAccepts = z.object({
  ids: z.array(z.string()),
  ends: z.array(z.string()),
  names: z.array(z.array(z.string())),
});

function hasStrace(): boolean {
  return spawnSync('strace', ['-V']).status === 0;
}

function mayMount(): boolean {
  return process.platform === 'linux' && process.getuid?.() === 0;
}

function smallDisk(t: TestScope, size: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'muster-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', directory]);
  t.after(() => {
    execFileSync('umount', ['-l', directory]);
    rmdirSync(directory);
  });
  return directory;
}

/** Leaves no page free. */
function fillDisk(file: string): void {
  for (let bytes = 2 * 1024 * 1024; bytes >= 4096; bytes /= 2) {
    try {
      for (;;) writeFileSync(file, Buffer.alloc(bytes, 1), { flag: 'a' });
    } catch {
      // ENOSPC: smaller pieces may still fit.
    }
  }
}
