import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { uuidv7 } from 'uuidv7';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { journalBytes, journalRequest, openTestJournal } from '../../support/journal.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const DAY_MS = 24 * 3_600_000;

test('an accepted request is found at once and after a restart', async (t) => {
  const directory = temporaryDirectory(t);
  const journal = await openTestJournal(t, directory);
  const request = journalRequest({ starting: false });

  const accepted = journal.accept(request);
  assert.equal(journal.find(request.id)?.state, 'accepted');
  await accepted;
  await journal.close();

  const again = await openTestJournal(t, directory);
  assert.equal(again.find(request.id)?.sha256, request.sha256);
  assert.deepEqual(again.requestOf(request.id), request.octets);
  assert.deepEqual(
    again.leftOpen().map(({ id, state }) => ({ id, state })),
    [{ id: request.id, state: 'accepted' }],
  );
});

test('the journal answers once the writes before it have ended, well or badly', async (t) => {
  const journal = await openTestJournal(t, temporaryDirectory(t));
  const ended: string[] = [];

  const written = journal.accept(journalRequest({ starting: true })).then(() => ended.push('written'));
  await journal.answers();
  ended.push('answered');
  await written;
  await journal.close();
  await journal.answers();

  assert.deepEqual(ended, ['written', 'answered']);
});

test('each step of an execution is there after a restart', async (t) => {
  const directory = temporaryDirectory(t);
  const journal = await openTestJournal(t, directory);
  const [waiting, started, launched, finished, receipted] = Array.from({ length: 5 }, (_, index) =>
    journalRequest({ starting: index > 1 }),
  );
  assert.ok(waiting && started && launched && finished && receipted);
  for (const request of [waiting, started, launched, finished, receipted]) await journal.accept(request);

  await journal.starting(started.id);
  journal.launched(launched.id);
  for (const { id } of [finished, receipted]) await journal.finish(id, Buffer.from(`result of ${id}`), []);
  await journal.receipt([receipted.id]);
  await journal.close();

  const again = await openTestJournal(t, directory);
  const states = [waiting, started, launched, finished, receipted].map(({ id }) => {
    const entry = again.find(id);
    return [entry?.state, entry?.launched, entry?.receipted];
  });
  assert.deepEqual(states, [
    ['accepted', false, false],
    ['starting', false, false],
    ['starting', true, false],
    ['finished', false, false],
    ['finished', false, true],
  ]);
  assert.equal(again.seq, 4);
  assert.deepEqual(again.unreceipted(), [finished.id]);
  assert.equal(again.resultOf(receipted.id)?.toString(), `result of ${receipted.id}`);
  assert.equal(again.requestOf(finished.id), undefined);
});

test('a cancel of an id that was never seen leaves a tombstone', async (t) => {
  const directory = temporaryDirectory(t);
  const journal = await openTestJournal(t, directory);
  const id = uuidv7();

  await journal.cancel({ id, reason: 'not needed', expiresMs: SYSTEM_CLOCK.nowMs() + DAY_MS });
  await journal.close();

  const entry = (await openTestJournal(t, directory)).find(id);
  assert.deepEqual([entry?.state, entry?.cancelled, entry?.sha256], ['tombstone', 'not needed', undefined]);
});

test('a receipt for what has not finished counts for nothing', async (t) => {
  const journal = await openTestJournal(t, temporaryDirectory(t));
  const request = journalRequest();
  await journal.accept(request);

  await journal.receipt([request.id, uuidv7()]);
  await journal.finish(request.id, Buffer.from('result'), []);

  assert.deepEqual(journal.unreceipted(), [request.id]);
});

test('epoch, welcome and count of starts outlive a restart', async (t) => {
  const directory = temporaryDirectory(t);
  const journal = await openTestJournal(t, directory);
  assert.deepEqual([journal.epochMs, journal.seq, journal.welcomeSeq], [undefined, 0, 0]);

  await journal.beginEpoch(1_700_000_000_000);
  await journal.welcomed(7, 1_700_000_000_000);
  await journal.accept(journalRequest());
  await journal.close();

  const again = await openTestJournal(t, directory);
  assert.deepEqual([again.epochMs, again.seq, again.welcomeSeq], [1_700_000_000_000, 1, 7]);
});

test('output beside the journal comes back by seq, and what a crash left without a result is removed', async (t) => {
  const directory = temporaryDirectory(t);
  const journal = await openTestJournal(t, directory);
  const request = journalRequest();
  const output = [Buffer.from('first'), Buffer.alloc(0), Buffer.from('third')];
  await journal.accept(request);
  await journal.finish(request.id, Buffer.from('result'), output);
  await journal.close();
  writeFileSync(join(directory, 'output', uuidv7()), 'left over');

  const again = await openTestJournal(t, directory);
  assert.deepEqual([...again.outputOf(request.id)], output);
  assert.deepEqual(readdirSync(join(directory, 'output')), [request.id]);
});

for (const [what, owner] of [
  ['another machine', { machine: 'machine-2' }],
  ['another node', { node: 'valve' }],
  ['another org', { org: 'other' }],
] as const) {
  test(`a journal of ${what} is set aside and a new one begins without an epoch`, async (t) => {
    const directory = temporaryDirectory(t);
    const journal = await openTestJournal(t, directory);
    const request = journalRequest();
    await journal.beginEpoch(1_700_000_000_000);
    await journal.accept(request);
    await journal.close();

    const other = await openTestJournal(t, directory, owner);
    assert.equal(other.find(request.id), undefined);
    assert.equal(other.epochMs, undefined);
    assert.equal(readdirSync(directory).filter((name) => name.startsWith('journal.foreign-')).length, 1);
  });
}

test('a closed journal takes nothing more', async (t) => {
  const directory = temporaryDirectory(t);
  const journal = await openTestJournal(t, directory);
  await journal.close();
  const request = journalRequest();

  await assertRejectsCode(journal.accept(request), 'storage_failed');

  assert.equal(journal.find(request.id), undefined);
  assert.equal((await openTestJournal(t, directory)).find(request.id), undefined);
});

test('a journal that is full refuses new work, then makes room of what the controller holds (promise 7)', async (t) => {
  const directory = temporaryDirectory(t);
  const maxBytes = 1024 * 1024;
  const journal = await openTestJournal(t, directory, { maxBytes });
  const done: string[] = [];
  const refused = await until(
    async () => {
      const request = journalRequest();
      try {
        await journal.accept(request);
      } catch {
        return request;
      }
      await journal.finish(request.id, Buffer.alloc(20_000, 'x'), [Buffer.alloc(20_000, 'y')]);
      done.push(request.id);
      return undefined;
    },
    { what: 'a refusal' },
  );
  assert.deepEqual(journal.unreceipted(), done);
  assert.ok(done.every((id) => journal.resultOf(id)?.length === 20_000));

  await journal.receipt(done);
  await until(
    () =>
      journal.accept(refused).then(
        () => true,
        () => false,
      ),
    { what: 'room' },
  );

  assert.ok(done.every((id) => journal.find(id)?.receipted));
  assert.ok(journalBytes(directory) < maxBytes);
  await journal.close();
  const again = await openTestJournal(t, directory, { maxBytes });
  assert.ok(done.every((id) => again.find(id)?.receipted));
  assert.equal(again.find(refused.id)?.state, 'starting');
});

test('an id is forgotten a day after the end of its request, by the time of a welcome, never before (promises 4 and 17)', async (t) => {
  const directory = temporaryDirectory(t);
  const journal = await openTestJournal(t, directory);
  const nowMs = SYSTEM_CLOCK.nowMs();
  const over = journalRequest({ expiresMs: nowMs - DAY_MS - 1 });
  const kept = journalRequest({ expiresMs: nowMs - DAY_MS + 60_000 });
  const unreceipted = journalRequest({ expiresMs: nowMs - DAY_MS - 1 });
  for (const { id, ...request } of [over, kept, unreceipted]) {
    await journal.accept({ id, ...request });
    await journal.finish(id, Buffer.from('result'), []);
  }
  await journal.receipt([over.id, kept.id]);

  await journal.welcomed(1, nowMs);
  await fillUntilCompacted(journal, directory);

  assert.equal(journal.find(over.id), undefined);
  assert.equal(journal.find(kept.id)?.receipted, true);
  assert.equal(journal.unreceipted()[0], unreceipted.id);
});

/** Writes requests whose octets are superfluous once they have finished, until the file has become smaller. */
async function fillUntilCompacted(journal: Awaited<ReturnType<typeof openTestJournal>>, directory: string) {
  let lastBytes = 0;
  await until(
    async () => {
      const request = journalRequest({ bytes: 100_000 });
      await journal.accept(request);
      await journal.finish(request.id, Buffer.from('result'), []);
      const size = journalBytes(directory);
      if (size < lastBytes) return true;
      lastBytes = size;
      return false;
    },
    { what: 'a compaction' },
  );
}
