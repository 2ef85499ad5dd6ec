import assert from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createCompaction, octetsOf, writeEntries } from '../../../agent/journal/compaction.js';
import type { Journal } from '../../../agent/journal/contract.js';
import { createEntries, type Entries } from '../../../agent/journal/entries.js';
import { loadJournal } from '../../../agent/journal/load.js';
import { encodeRecord } from '../../../agent/journal/records.js';
import { createSegments, type Segments } from '../../../agent/journal/segments.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import type { TestScope } from '../../support/broker.js';
import { journalBytes, journalRequest, openTestJournal, type TestRequest } from '../../support/journal.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const OWNER = { machine: 'm', org: 'o', node: 'n' };
const log = createLogger('agent', { level: 'silent' });
const MAX_BYTES = 1024 * 1024;
const RESULT_BYTES = 20_000;

test('through many compactions nothing is lost, and the files stay within the bound', async (t) => {
  const directory = temporaryDirectory(t);
  const journal = await openTestJournal(t, directory, { maxBytes: MAX_BYTES });
  const [waiting, running, held] = [journalRequest({ starting: false }), journalRequest(), journalRequest()];
  for (const request of [waiting, running, held]) await journal.accept(request);
  journal.launched(running.id);
  await journal.cancel({ id: waiting.id, reason: 'not needed', expiresMs: waiting.expiresMs });
  await journal.finish(held.id, Buffer.from('held'), [Buffer.from('out')]);
  await journal.beginEpoch(1_700_000_000_000);

  const done: TestRequest[] = [];
  for (let count = 0; count < 200; count += 1) {
    done.push(await runThrough(journal));
    assert.ok(journalBytes(directory) < 1.2 * MAX_BYTES);
  }

  await journal.close();
  const again = await openTestJournal(t, directory, { maxBytes: MAX_BYTES });
  assert.ok(done.every(({ id }) => again.find(id)?.receipted));
  assert.deepEqual(again.requestOf(waiting.id), waiting.octets);
  assert.equal(again.find(waiting.id)?.cancelled, 'not needed');
  assert.equal(again.find(running.id)?.launched, true);
  assert.equal(again.resultOf(held.id)?.toString(), 'held');
  assert.deepEqual([...again.outputOf(held.id)], [Buffer.from('out')]);
  assert.deepEqual(again.unreceipted(), [held.id]);
  assert.deepEqual([again.seq, again.epochMs], [202, 1_700_000_000_000]);
  assert.deepEqual(setAside(directory), []);
});

test('a failed end gives back the request, also when it was written anew meanwhile', async (t) => {
  const { entries, segments } = await emptySegments(t, join(temporaryDirectory(t), 'journal'));
  const compaction = createCompaction({ entries, segments, maxBytes: 1000, dropOutput: () => undefined });
  const request = journalRequest({ bytes: 3000 });
  const { id, octets } = request;
  await accept(request, { entries, segments });
  await segments.append([Buffer.alloc(10_000)]); // what is not needed

  const end = { kind: 'finished', id, at_ms: 0, spill_bytes: 0, octets: 6 } as const;
  entries.apply({ record: end, octets: Buffer.from('result') });
  await compaction.step();
  entries.revert(end);

  assert.equal(segments.oldest, 2);
  const entry = entries.byId.get(id);
  assert.deepEqual([entry?.state, entry?.base, entry?.undo], ['starting', 2, undefined]);
  assert.deepEqual(octetsOf(entry?.octets, segments), octets);
});

test('what is said while an entry is written anew is kept', async (t) => {
  const directory = temporaryDirectory(t);
  const journal = await openTestJournal(t, directory, { maxBytes: MAX_BYTES });
  const open = Array.from({ length: 20 }, () => journalRequest());
  for (const request of open) await journal.accept(request);

  const ends = open.map(async ({ id }) => {
    for (let count = 0; count < 4; count += 1) await runThrough(journal);
    await journal.finish(id, Buffer.from(`result of ${id}`), []);
  });
  await Promise.all(ends);

  assert.ok(Number(files(directory)[0]) > 1, 'the first file is still there');
  await journal.close();
  const again = await openTestJournal(t, directory, { maxBytes: MAX_BYTES });
  for (const { id } of open) assert.equal(again.resultOf(id)?.toString(), `result of ${id}`);
  assert.equal(again.leftOpen().length, 0);
});

test('a file that a crash left behind after it was said anew counts for nothing', async (t) => {
  const directory = join(temporaryDirectory(t), 'journal');
  const { entries, segments } = await emptySegments(t, directory);
  const [kept, forgotten] = [journalRequest(), journalRequest()];
  for (const request of [kept, forgotten]) await accept(request, { entries, segments });
  await segments.roll();
  await writeEntries(
    [...entries.byId.values()].filter(({ id }) => id === kept.id),
    { entries, segments },
  );
  await segments.append(encodeRecord({ kind: 'dropped', oldest: 2 }));

  const loaded = loadJournal(directory, { owner: OWNER, clock: SYSTEM_CLOCK, log });

  assert.deepEqual([...loaded.entries.byId.keys()], [kept.id]);
  assert.deepEqual(readdirSync(directory), ['00000002']);
});

test('a journal file that is missing, at the beginning or inside, sets the journal aside', async (t) => {
  for (const index of [0, 1]) {
    const directory = temporaryDirectory(t);
    const journal = await openTestJournal(t, directory, { maxBytes: MAX_BYTES });
    const request = journalRequest();
    await journal.accept(request);
    await until(() => runThrough(journal).then(() => files(directory).length > 3), { what: 'several files' });
    await journal.close();
    rmSync(join(directory, 'journal', files(directory)[index] ?? ''));

    const again = await openTestJournal(t, directory, { maxBytes: MAX_BYTES });

    assert.equal(again.find(request.id), undefined);
    assert.equal(again.epochMs, undefined);
    assert.equal(setAside(directory).length, 1);
  }
});

test('nobody hears of a result before it is on disk (promise 7)', async (t) => {
  const journal = await openTestJournal(t, temporaryDirectory(t));
  const { id } = await accepted(journal);

  const finishing = journal.finish(id, Buffer.from('result'), []);
  for (let turn = 0; turn < 50 && journal.find(id)?.state !== 'finished'; turn += 1) await Promise.resolve();
  assert.equal(journal.find(id)?.state, 'finished');
  assert.deepEqual([journal.resultOf(id), journal.unreceipted()], [undefined, []]);
  await finishing;

  assert.deepEqual([journal.resultOf(id)?.toString(), journal.unreceipted()], ['result', [id]]);
});

test('a closed journal leaves a compaction to the next one', async (t) => {
  const directory = temporaryDirectory(t);
  const journal = await openTestJournal(t, directory, { maxBytes: MAX_BYTES });
  const work = Promise.all(Array.from({ length: 40 }, () => runThrough(journal).catch(() => undefined)));

  await journal.close();
  await work;

  await assertRejectsCode(journal.accept(journalRequest()), 'storage_failed');
  await (await openTestJournal(t, directory, { maxBytes: MAX_BYTES })).close();
  assert.deepEqual(setAside(directory), []);
});

type Parts = Readonly<{ entries: Entries; segments: Segments }>;

/** The parts of a journal below its queue. */
async function emptySegments(t: TestScope, directory: string): Promise<Parts> {
  const segments = await createSegments(directory, {
    state: { sizes: new Map(), newest: undefined },
    segmentBytes: MAX_BYTES,
    opening: (place) => [{ kind: 'journal', v: 1, ...OWNER, ...place }],
  });
  t.after(segments.close);
  return { entries: createEntries(), segments };
}

async function accept({ id, sha256, expiresMs, octets }: TestRequest, { entries, segments }: Parts): Promise<void> {
  const about = { id, sha256, expires_ms: expiresMs, starting: true, seq: 1, octets: octets.length };
  const record = { kind: 'accepted', ...about } as const;
  const parts = encodeRecord(record, octets);
  entries.apply({ record, octets });
  const { segment, offset } = await segments.append(parts);
  entries.settle(record, { segment, offset: offset + (parts[0]?.length ?? 0), length: octets.length });
}

async function accepted(journal: Journal): Promise<TestRequest> {
  const request = journalRequest();
  await journal.accept(request);
  return request;
}

/** An execution with a large result, to its receipt; the bound may make it wait for room. */
async function runThrough(journal: Journal): Promise<TestRequest> {
  const request = journalRequest();
  await until(
    () =>
      journal.accept(request).then(
        () => true,
        () => false,
      ),
    { what: 'room in the journal' },
  );
  await journal.finish(request.id, Buffer.alloc(RESULT_BYTES, 'x'), []);
  await journal.receipt([request.id]);
  return request;
}

function files(directory: string): string[] {
  return readdirSync(join(directory, 'journal')).sort();
}

function setAside(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.startsWith('journal.'));
}
