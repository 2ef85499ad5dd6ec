import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRecorder } from '../../../agent/executor/recorder.js';
import type { Journal } from '../../../agent/journal/contract.js';
import { MusterError } from '../../../protocol/errors.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { answering, createTestExecutor, idOf, receive, waiting } from '../../support/executor.js';
import { createGate } from '../../support/gate.js';
import { journalRequest, openTestJournal, withOwn } from '../../support/journal.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const NEVER = new AbortController().signal;

test('promise 23: a cancelled result that the disk refuses at first is stored and reported before the stop is over', async (t) => {
  const wait = waiting('wait');
  const journal = refusing(await openTestJournal(t, temporaryDirectory(t)), { endings: 3 });
  const { executor, results } = await createTestExecutor(t, { actions: [wait.action], journal });
  const received = receive({ action: 'wait' });
  await executor.execute(received);

  await executor.shutdown(0, NEVER);

  assert.deepEqual(
    results(idOf(received)).map(({ status }) => status),
    ['cancelled'],
  );
  assert.deepEqual(journal.unreceipted(), [idOf(received)]);
});

test('a stop gives up a result that the disk keeps refusing, and the next process says interrupted', async (t) => {
  const directory = temporaryDirectory(t);
  const real = await openTestJournal(t, directory);
  await real.beginEpoch(0);
  const received = receive();
  const { request, octets, sha256 } = received;
  const id = request.execution_id;
  await real.accept({ id, octets, sha256, expiresMs: Date.parse(request.expires_at), starting: true });
  const recorder = createRecorder({
    journal: refusing(real, { endings: Number.POSITIVE_INFINITY }),
    clock: SYSTEM_CLOCK,
    log: createLogger('agent', { level: 'silent' }),
  });

  const recorded = recorder.record({ id, result: Buffer.from('{}'), output: () => [] });
  assert.deepEqual(recorder.pending(), [id]);
  await recorder.close(0);
  assert.equal(await recorded, false);
  await real.close();
  const { executor, resultOf } = await createTestExecutor(t, { directory });
  await executor.recover();

  assert.equal((await resultOf(id)).error_code, 'interrupted');
});

test('promise 16: what a crash left open is ended when the disk has room again, and meanwhile counts as running', async (t) => {
  const directory = temporaryDirectory(t);
  const before = await openTestJournal(t, directory);
  await before.beginEpoch(Date.parse('2026-01-01T00:00:00Z'));
  const received = receive();
  const { octets, sha256 } = received;
  await before.accept({ id: idOf(received), octets, sha256, expiresMs: Date.now() + 60_000, starting: true });
  await before.close();
  const journal = refusing(await openTestJournal(t, directory), { endings: 1 });
  const { executor, acks, results, resultOf } = await createTestExecutor(t, { journal });

  const recovered = executor.recover();
  assert.deepEqual(executor.running(), [idOf(received)]);
  await executor.execute(received);
  assert.deepEqual([acks(idOf(received)), results(idOf(received))], [['duplicate_execution_id'], []]);
  await recovered;

  assert.equal((await resultOf(idOf(received))).error_code, 'interrupted');
  assert.deepEqual(executor.running(), []);
});

test('promise 5: an open request that the disk gives no more, or that fits no schema, ends as interrupted beside the others', async (t) => {
  const directory = temporaryDirectory(t);
  const before = await openTestJournal(t, directory);
  const [unreadable, good] = [receive(), receive()];
  const open = journalRequest({ octets: Buffer.from('{"v":1,"of":"another release"}'), starting: false });
  const cancelled = journalRequest({ octets: Buffer.from('{}'), starting: false });
  for (const { request, octets, sha256 } of [unreadable, good])
    await before.accept(journalRequest({ id: request.execution_id, octets, sha256 }));
  for (const request of [open, cancelled]) await before.accept(request);
  before.launched(idOf(unreadable));
  await before.cancel({ id: cancelled.id, reason: 'not needed', expiresMs: cancelled.expiresMs });
  await before.close();
  const real = await openTestJournal(t, directory);
  const journal = withOwn(real, {
    requestOf(id) {
      if (id === idOf(unreadable)) throw new MusterError('storage_failed', 'the disk is broken');
      return real.requestOf(id);
    },
  });
  const { executor, results, logs } = await createTestExecutor(t, { journal });

  await executor.recover();

  const ends = [idOf(unreadable), idOf(good), open.id, cancelled.id].flatMap(results);
  assert.deepEqual(
    ends.map(({ status, error_code, launched }) => [status, error_code, launched]),
    [
      ['error', 'interrupted', 'yes'],
      ['error', 'interrupted', 'unknown'],
      ['error', 'interrupted', 'unknown'],
      ['cancelled', undefined, 'no'],
    ],
  );
  assert.equal(ends[2]?.request_sha256, open.sha256);
  assert.equal(logs.filter(({ msg }) => msg === 'open request cannot be read, it ends as interrupted').length, 3);
});

test('a cancel that the disk refuses leaves what waits waiting, and it still runs', async (t) => {
  const journal = withOwn(await openTestJournal(t, temporaryDirectory(t)), {
    cancel: () => Promise.reject(new MusterError('storage_failed', 'the disk is full')),
  });
  const { executor, resultOf } = await createTestExecutor(t, { journal, random: () => 0.5 });
  const received = receive({ spread: '200ms' });
  await executor.execute(received);

  const cancel = { id: idOf(received), reason: 'not needed', expiresMs: Date.now() + 60_000 };
  await assertRejectsCode(executor.cancel(cancel), 'storage_failed');

  assert.equal((await resultOf(idOf(received))).status, 'success');
});

test('promise 5: nobody is told of a result before it is on disk', async (t) => {
  const journal = await openTestJournal(t, temporaryDirectory(t));
  const [begun, gate] = [createGate(), createGate()];
  const slow = withOwn(journal, {
    async finish(...ending) {
      const finished = journal.finish(...ending);
      begun.open();
      await gate.passed;
      return finished;
    },
  });
  const { executor, acks, results, resultOf } = await createTestExecutor(t, {
    journal: slow,
    actions: [answering('echo')],
  });
  const received = receive();
  await executor.execute(received);
  await begun.passed;
  await until(() => journal.find(idOf(received))?.state === 'finished', { what: 'its end in memory' });

  await executor.execute(received);

  assert.deepEqual([acks(idOf(received)), results(idOf(received))], [['', 'duplicate_execution_id'], []]);
  assert.deepEqual(executor.running(), [idOf(received)]);
  gate.open();
  await resultOf(idOf(received));
  await until(() => executor.running().length === 0, { what: 'its end' });
});

/** A journal that does not take the first endings, as on a disk that is full for a while. */
function refusing(journal: Journal, { endings }: { endings: number }): Journal {
  let left = endings;
  return withOwn(journal, {
    async finish(...ending) {
      left -= 1;
      if (left >= 0) throw new MusterError('storage_failed', 'the disk is full');
      return journal.finish(...ending);
    },
  });
}
