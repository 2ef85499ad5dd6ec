import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MusterError } from '../../../protocol/errors.js';
import { SYSTEM_CLOCK, toTime } from '../../../runtime/clock.js';
import { createTestExecutor, idOf, receive, waiting } from '../../support/executor.js';
import { createGate } from '../../support/gate.js';
import { openTestJournal, withOwn } from '../../support/journal.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const HOUR_MS = 3_600_000;

test('a spread request that is cancelled while its acceptance is written does not start', async (t) => {
  const wait = waiting('wait');
  const { executor, resultOf } = await createTestExecutor(t, { actions: [wait.action] });
  const received = receive(spreadOver('1ms'));

  const executed = executor.execute(received);
  const cancelled = executor.cancel(cancelOf(idOf(received)));
  await Promise.all([executed, cancelled]);

  const { status, launched } = await resultOf(idOf(received));
  assert.deepEqual([status, launched, wait.started()], ['cancelled', 'no', 0]);
});

test('a spread request that falls due while its cancel is written does not start', async (t) => {
  const wait = waiting('wait');
  const journal = await openTestJournal(t, temporaryDirectory(t));
  const gate = createGate();
  const slow = withOwn(journal, { cancel: (cancel) => gate.passed.then(() => journal.cancel(cancel)) });
  const { executor, resultOf } = await createTestExecutor(t, { actions: [wait.action], journal: slow });
  const received = receive(spreadOver('20ms'));
  await executor.execute(received);

  const cancelled = executor.cancel(cancelOf(idOf(received)));
  await new Promise((due) => setTimeout(due, 60));
  gate.open();
  await cancelled;

  const { status, launched } = await resultOf(idOf(received));
  assert.deepEqual([status, launched, wait.started()], ['cancelled', 'no', 0]);
});

test('a second delivery is not called a duplicate of one that the disk then refuses', async (t) => {
  const journal = await openTestJournal(t, temporaryDirectory(t));
  const gate = createGate();
  let refusals = 1;
  const refusing = withOwn(journal, {
    async accept(request) {
      if (refusals-- <= 0) return journal.accept(request);
      await gate.passed;
      throw new MusterError('storage_failed', 'the disk is full');
    },
  });
  const { executor, acks, resultOf } = await createTestExecutor(t, { journal: refusing });
  const received = receive();

  const both = [executor.execute(received), executor.execute(received)];
  gate.open();
  await Promise.all(both);

  assert.deepEqual(acks(idOf(received)), ['storage_failed', '']);
  assert.equal((await resultOf(idOf(received))).status, 'success');
});

function spreadOver(spread: string) {
  return { action: 'wait', target: { fleet: true }, roster_at: toTime(SYSTEM_CLOCK.nowMs()), spread };
}

function cancelOf(id: string) {
  return { id, reason: 'not needed', expiresMs: SYSTEM_CLOCK.nowMs() + HOUR_MS };
}
