import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Journal } from '../../../agent/journal/contract.js';
import { causeOfEpoch } from '../../../agent/session/epoch.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { startTestBroker } from '../../support/broker.js';
import { keyOfAgent, scriptController, startControlledAgent } from '../../support/controlled-agent.js';
import { createTestExecutor, idOf, receive } from '../../support/executor.js';
import { writeHook } from '../../support/hooks.js';
import { openTestJournal, runThrough, turnOver } from '../../support/journal.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;
const SMALL = { maxBytes: 1024 * 1024 };

test('promise 4: what only waited in an older copy of the journal does not start: interrupted, launched unknown', async (t) => {
  const broker = await startTestBroker(t);
  const [directory, hooks, copy] = [temporaryDirectory(t), temporaryDirectory(t), temporaryDirectory(t)];
  const ledger = join(temporaryDirectory(t), 'ledger');
  const { checksum } = writeHook(hooks, 'work', `#!/bin/sh\necho start >> ${ledger}\n`);
  const controller = await scriptController(t, broker, () => keyOfAgent(directory));
  const settings = { hooks_dir: hooks, process_isolation: 'process_group' };
  const start = (share: number) => startControlledAgent(t, broker, directory, { random: () => share, settings });
  const agent = await start(0.5);
  await agent.whenWelcomed;
  const request = controller.request({ action: 'work', checksum, spread: '2s' });
  await controller.send('node_request', request);
  await controller.hear('ack');
  cpSync(join(directory, 'journal'), join(copy, 'journal'), { recursive: true });
  assert.equal((await controller.hear('result')).status, 'success');
  await agent.stop(AbortSignal.abort());

  rmSync(join(directory, 'journal'), { recursive: true });
  cpSync(join(copy, 'journal'), join(directory, 'journal'), { recursive: true });
  controller.welcomeWith({ journal_seq: 1 });
  await start(0);

  const { error_code, launched } = await controller.hear('result', ({ status }) => status === 'error');
  assert.deepEqual([error_code, launched], ['interrupted', 'unknown']);
  assert.equal(readFileSync(ledger, 'utf8'), 'start\n');
});

test('promise 4: what falls due after a new epoch has begun does not start, also before the welcome is dealt with', async (t) => {
  const { executor, journal, resultOf } = await createTestExecutor(t, { random: () => 0.5 });
  const received = receive({ spread: '200ms' });
  await executor.execute(received);

  await journal.beginEpoch(SYSTEM_CLOCK.nowMs() + 1);

  const { error_code, launched } = await resultOf(idOf(received));
  assert.deepEqual([error_code, launched, journal.seq], ['interrupted', 'unknown', 0]);
});

test('promise 5: what waits since before a new epoch ends with its welcome, not when it would have been due', async (t) => {
  const { executor, journal, resultOf } = await createTestExecutor(t, { random: () => 1 });
  const received = receive({ spread: '1h' });
  await executor.execute(received);

  await journal.beginEpoch(SYSTEM_CLOCK.nowMs() + 1);
  executor.welcomed();

  assert.equal((await resultOf(idOf(received))).error_code, 'interrupted');
});

test('promise 4: ids forgotten while the controller was years ahead are refused once its clock is right, also after a restart', async (t) => {
  const directory = temporaryDirectory(t);
  const nowMs = SYSTEM_CLOCK.nowMs();
  const received = receive();
  const [octets, sha256, expiresMs] = [received.octets, received.sha256, nowMs + HOUR_MS];
  const before = await openTestJournal(t, directory, SMALL);
  await before.beginEpoch(nowMs - HOUR_MS);
  await runThrough(before, { id: idOf(received), octets, sha256, expiresMs });
  await before.receipt([idOf(received)]);
  await before.welcomed(1, nowMs + 10 * YEAR_MS);
  await turnOver(before);
  assert.equal(before.find(idOf(received)), undefined);
  await before.close();
  const journal = await openTestJournal(t, directory, SMALL);

  const cause = await welcome(journal, nowMs + 1_000);

  assert.equal(cause, 'ids forgotten');
  const { executor, acks } = await createTestExecutor(t, { journal });
  await executor.execute(received);
  assert.deepEqual(acks(idOf(received)), ['before_epoch']);
  assert.equal(await welcome(journal, nowMs + 2_000), undefined, 'it begins once');
});

test('a controller that is set back by less than ids are kept begins no epoch, nor does one set back to before the journal', async (t) => {
  const nowMs = SYSTEM_CLOCK.nowMs();
  const journal = await openTestJournal(t, temporaryDirectory(t), SMALL);
  await journal.beginEpoch(nowMs - 3 * YEAR_MS);
  await journal.welcomed(1, nowMs);
  await turnOver(journal, { expiresMs: nowMs - 25 * HOUR_MS });

  assert.equal(await welcome(journal, nowMs - 24 * HOUR_MS), undefined);
  assert.equal(await welcome(journal, nowMs - 4 * YEAR_MS), undefined);
  assert.equal(await welcome(journal, nowMs - YEAR_MS), 'ids forgotten');
});

test('an epoch only moves on, whatever the clock of the controller says', async (t) => {
  const journal = await openTestJournal(t, temporaryDirectory(t));
  const nowMs = SYSTEM_CLOCK.nowMs();
  await journal.beginEpoch(nowMs);

  await journal.beginEpoch(nowMs - HOUR_MS, 5);

  assert.deepEqual([journal.epochMs, journal.seq], [nowMs + 1, 5]);
});

/** What a session does with a welcome of this time. */
async function welcome(journal: Journal, nowMs: number) {
  const cause = causeOfEpoch(journal, { nowMs, seenSeq: journal.seq });
  if (cause !== undefined) await journal.beginEpoch(nowMs);
  await journal.welcomed(journal.welcomeSeq + 1, nowMs);
  return cause;
}
