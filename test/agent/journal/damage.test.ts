import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { z } from 'zod';
import type { TestScope } from '../../support/broker.js';
import { journalRequest, openTestJournal, type TestRequest } from '../../support/journal.js';
import { runnable } from '../../support/runnable.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const STARTS = 4;
/** Coprime to 8, so that every bit of a byte has its turn. */
const FLIP_STEP = 3;

test('a last write cut off at any byte is cut back to the write before it, and appending goes on (promise 18)', async (t) => {
  const { directory, file, requests, sizes } = await journalOfSingleWrites(t);
  const whole = readFileSync(file);
  const lastStart = sizes.at(-2) ?? 0;

  for (let length = lastStart; length <= whole.length; length += 1) {
    writeFileSync(file, whole.subarray(0, length));
    const journal = await openTestJournal(t, directory);
    const found = requests.filter(({ id }) => journal.find(id) !== undefined).length;
    assert.equal(found, length === whole.length ? STARTS : STARTS - 1, `cut at ${length}`);
    const next = journalRequest();
    await journal.accept(next);
    await journal.close();
    const again = await openTestJournal(t, directory);
    assert.ok(again.find(next.id), `appended after a cut at ${length}`);
    await again.close();
  }
  assert.deepEqual(setAside(directory), []);
});

test('a last write of which only the length reached the disk is torn', async (t) => {
  const { directory, file, requests, sizes } = await journalOfSingleWrites(t);
  truncateSync(file, sizes.at(-2));
  appendFileSync(file, Buffer.alloc(700));

  const journal = await openTestJournal(t, directory);

  assert.equal(requests.filter(({ id }) => journal.find(id) !== undefined).length, STARTS - 1);
  assert.deepEqual(setAside(directory), []);
});

test('a last write with a sector that never reached the disk is torn', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'journal', '00000001');
  const journal = await openTestJournal(t, directory);
  const [first, last] = [journalRequest(), journalRequest({ bytes: 3000 })];
  await journal.accept(first);
  await journal.accept(last);
  await journal.close();
  const bytes = readFileSync(file);
  bytes.fill(0, 1024, 1536);
  writeFileSync(file, bytes);

  const again = await openTestJournal(t, directory);

  assert.ok(again.find(first.id));
  assert.equal(again.find(last.id), undefined);
  assert.deepEqual(setAside(directory), []);
});

test('a sector of zeros that is not in the last write is damage', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'journal', '00000001');
  const journal = await openTestJournal(t, directory);
  await journal.accept(journalRequest({ bytes: 3000 }));
  await journal.accept(journalRequest());
  await journal.close();
  const bytes = readFileSync(file);
  bytes.fill(0, 1024, 1536);
  writeFileSync(file, bytes);

  await openTestJournal(t, directory);

  assert.equal(setAside(directory).length, 1);
});

test('what a failed write left behind the end that the next file tells counts for nothing', async (t) => {
  if (spawnSync('strace', ['-V']).status !== 0) return t.skip('making fdatasync fail needs strace');
  const directory = temporaryDirectory(t);
  const { script, execArgv } = runnable(new URL('../../support/journal-three-accepts-child.ts', import.meta.url));
  const inject = ['-f', '-qq', '-o', '/dev/null', '-e', 'inject=fdatasync:error=EIO:when=3'];
  const { stdout } = await execa('strace', [...inject, process.execPath, ...execArgv, script, directory], {
    env: { UV_THREADPOOL_SIZE: '1' }, // strace counts the calls of each thread
  });
  const { ids } = z.object({ ids: z.array(z.string()) }).parse(JSON.parse(stdout));
  appendFileSync(join(directory, 'journal', '00000001'), 'half a frame that no truncation took away');

  const journal = await openTestJournal(t, directory);

  assert.deepEqual(
    ids.map((id) => journal.find(id)?.state),
    ['starting', undefined, 'starting'],
  );
  assert.deepEqual(setAside(directory), []);
});

test('a file that is shorter than the next one tells is damage', async (t) => {
  const directory = temporaryDirectory(t);
  const journal = await openTestJournal(t, directory, { maxBytes: 1024 * 1024 });
  for (let count = 0; count < 3; count += 1) await journal.accept(journalRequest({ bytes: 60_000 }));
  await journal.close();
  const [first = ''] = readdirSync(join(directory, 'journal'));
  truncateSync(join(directory, 'journal', first), 50_000);

  await openTestJournal(t, directory, { maxBytes: 1024 * 1024 });

  assert.equal(setAside(directory).length, 1);
});

test('nothing of a torn write is left behind the next, shorter one', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'journal', '00000001');
  const journal = await openTestJournal(t, directory);
  await journal.accept(journalRequest({ bytes: 3000 }));
  await journal.close();
  truncateSync(file, readFileSync(file).length - 100);
  const next = journalRequest();

  const cut = await openTestJournal(t, directory);
  await cut.accept(next);
  await cut.close();

  assert.ok((await openTestJournal(t, directory)).find(next.id));
  assert.deepEqual(setAside(directory), []);
});

test('a flipped bit anywhere sets the journal aside, and a new one begins without an epoch (promise 18)', async (t) => {
  const { directory, file } = await journalOfSingleWrites(t);
  const whole = readFileSync(file);

  for (let at = 0; at < whole.length; at += FLIP_STEP) {
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
    writeFileSync(file, bytes);
    const journal = await openTestJournal(t, directory, { clock: clockAt(at) });
    assert.equal(journal.epochMs, undefined, `flipped at ${at}`);
    await journal.close();
    assert.deepEqual(
      readFileSync(join(directory, `journal.damaged-${at}`, '00000001')),
      bytes,
      `kept as it was, flipped at ${at}`,
    );
  }
});

test('a write that was left out or put elsewhere sets the journal aside', async (t) => {
  const { directory, file, sizes } = await journalOfSingleWrites(t);
  const whole = readFileSync(file);
  const [, one = 0, two = 0, three = 0] = sizes;

  const without = Buffer.concat([whole.subarray(0, one), whole.subarray(two)]);
  const swapped = Buffer.concat([
    whole.subarray(0, one),
    whole.subarray(two, three),
    whole.subarray(one, two),
    whole.subarray(three),
  ]);
  const repeated = Buffer.concat([whole.subarray(0, two), whole.subarray(one, two), whole.subarray(two)]);

  for (const [index, bytes] of [without, swapped, repeated].entries()) {
    writeFileSync(file, bytes);
    const journal = await openTestJournal(t, directory, { clock: clockAt(index) });
    assert.equal(journal.epochMs, undefined);
    await journal.close();
    assert.equal(setAside(directory).length, index + 1);
  }
});

test('an empty journal file is damage, not a new journal', async (t) => {
  const { directory, file } = await journalOfSingleWrites(t);
  truncateSync(file, 0);

  await openTestJournal(t, directory);

  assert.equal(setAside(directory).length, 1);
});

test('a journal in one file, as it was before 0.1.0, is set aside, and a new one begins without an epoch', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'journal'), 'MJ1');

  const journal = await openTestJournal(t, directory);

  assert.deepEqual([journal.epochMs, journal.seq], [undefined, 0]);
  assert.equal(setAside(directory).length, 1);
});

test('a new file that a crash left beside the journal is of no account', async (t) => {
  const { directory, file, requests } = await journalOfSingleWrites(t);
  writeFileSync(`${file}.new`, 'half a compaction');

  const journal = await openTestJournal(t, directory);

  assert.ok(requests.every(({ id }) => journal.find(id)));
});

/** A journal with an epoch and some starts, each in a write of its own; `sizes` are the file's after each write. */
async function journalOfSingleWrites(
  t: TestScope,
): Promise<{ directory: string; file: string; requests: TestRequest[]; sizes: number[] }> {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'journal', '00000001');
  const journal = await openTestJournal(t, directory);
  const requests: TestRequest[] = [];
  await journal.beginEpoch(1_700_000_000_000);
  const sizes = [readFileSync(file).length];
  for (let count = 0; count < STARTS; count += 1) {
    const request = journalRequest();
    await journal.accept(request);
    requests.push(request);
    sizes.push(readFileSync(file).length);
  }
  await journal.close();
  return { directory, file, requests, sizes };
}

function setAside(directory: string): string[] {
  return readdirSync(directory).filter((name) => /^journal\.(damaged|older)-/.test(name));
}

function clockAt(ms: number) {
  return { nowMs: () => ms, monotonicMs: () => performance.now() };
}
