import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Action } from '../../../agent/actions/action.js';
import { restart } from '../../../agent/actions/builtins/restart.js';
import { whenFired } from '../../../agent/actions/waiting.js';
import type { Journal } from '../../../agent/journal/contract.js';
import { MusterError } from '../../../protocol/errors.js';
import { createGate } from '../../../runtime/gate.js';
import type { TestScope } from '../../support/broker.js';
import { ownProcess } from '../../support/builtins.js';
import { acting, answering, createTestExecutor, idOf, receive, waiting } from '../../support/executor.js';
import { openTestJournal, withOwn } from '../../support/journal.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

/** A restart whose process is the one of the executor that finds it. */
function restartOf(processId: string, leave: () => void = () => undefined): Action {
  const { machine, ...own } = ownProcess({ leave });
  return restart({ ...own, machine: { ...machine, processId } });
}

/** An executor of this process on the journal in this directory, closed by the test. */
async function startProcess(t: TestScope, directory: string, processId: string, more: readonly Action[] = []) {
  const left: string[] = [];
  const action = restartOf(processId, () => void left.push(processId));
  const executor = await createTestExecutor(t, { directory, machine: { processId }, actions: [action, ...more] });
  const end = async (drainMs = 0): Promise<void> => {
    await executor.executor.shutdown(drainMs, new AbortController().signal);
    await executor.journal.close();
  };
  return { ...executor, left, end };
}

test('F-63, S-F-15: a restart is acked, done only by the process after it, and done once', async (t) => {
  const directory = temporaryDirectory(t);
  const request = receive({ action: 'restart' });
  const one = await startProcess(t, directory, 'one');

  assert.equal(await one.executor.execute(request), '');
  await until(() => one.left.length === 1, { what: 'the process is asked to leave' });
  assert.deepEqual(one.executor.running(), [idOf(request)], 'hello still names it');
  assert.equal(await one.executor.execute(request), 'duplicate_execution_id');
  await one.end();
  assert.deepEqual([one.acks(idOf(request)), one.results(idOf(request))], [['', 'duplicate_execution_id'], []]);

  const two = await startProcess(t, directory, 'two');
  await two.executor.recover();
  const { status, exit_code, stdout, process_id } = await two.resultOf(idOf(request));
  assert.deepEqual([status, exit_code], ['success', 0]);
  const { message, away_ms } = JSON.parse(stdout);
  assert.equal(message, 'Agent restarted');
  assert.ok(Number.isInteger(away_ms) && away_ms >= 0, stdout);
  assert.ok(process_id);
  assert.equal(await two.executor.execute(request), '', 'the same answer as the first time');
  await two.end();

  const three = await startProcess(t, directory, 'three');
  await three.executor.recover();
  assert.deepEqual([one.left, two.left, three.left], [['one'], [], []]);
  assert.deepEqual(three.results(idOf(request)), []);
});

test('a restart that was killed in its drain is done all the same', async (t) => {
  const directory = temporaryDirectory(t);
  const request = receive({ action: 'restart' });
  const one = await startProcess(t, directory, 'one');
  await one.executor.execute(request);
  await until(() => one.left.length === 1, { what: 'the process is asked to leave' });
  await one.journal.close(); // and with it all that it could still write

  const two = await startProcess(t, directory, 'two');
  await two.executor.recover();

  assert.equal((await two.resultOf(idOf(request))).status, 'success');
});

test('what runs is waited for in a restart, and the restart is not waited for', async (t) => {
  const directory = temporaryDirectory(t);
  const { action, started, release } = waiting('wait');
  const one = await startProcess(t, directory, 'one', [action]);
  const [long, request] = [receive({ action: 'wait' }), receive({ action: 'restart' })];
  await one.executor.execute(long);
  await until(() => started() === 1, { what: 'the other action runs' });
  await one.executor.execute(request);
  await until(() => one.left.length === 1, { what: 'the process is asked to leave' });

  const ended = one.end(3_600_000);
  assert.equal(await one.executor.execute(receive({ action: 'wait' })), 'shutting_down');
  release();
  await ended;

  assert.equal((await one.resultOf(idOf(long))).status, 'success');
  assert.deepEqual(one.results(idOf(request)), []);
});

test('a cancel comes too late for a restart', async (t) => {
  const directory = temporaryDirectory(t);
  const request = receive({ action: 'restart' });
  const one = await startProcess(t, directory, 'one');
  await one.executor.execute(request);
  await until(() => one.left.length === 1, { what: 'the process is asked to leave' });

  await one.executor.cancel({ id: idOf(request), reason: 'changed our mind', expiresMs: Date.now() + 60_000 });
  await one.end();
  const two = await startProcess(t, directory, 'two');
  await two.executor.recover();

  assert.equal((await two.resultOf(idOf(request))).status, 'success');
});

test('a restart that is cancelled before the journal has the handover does not happen', async (t) => {
  const journal = await openTestJournal(t, temporaryDirectory(t));
  const [asked, written] = [createGate(), createGate()];
  const slow: Journal['handOver'] = async (...handover) => {
    asked.open();
    await written.whenOpen;
    await journal.handOver(...handover);
  };
  const left: string[] = [];
  const { executor, resultOf } = await createTestExecutor(t, {
    journal: withOwn(journal, { handOver: slow }),
    actions: [restartOf('one', () => void left.push('one'))],
  });
  const request = receive({ action: 'restart' });
  await executor.execute(request);
  await asked.whenOpen;

  await executor.cancel({ id: idOf(request), reason: 'changed our mind', expiresMs: Date.now() + 60_000 });
  written.open();

  assert.equal((await resultOf(idOf(request))).status, 'cancelled');
  assert.deepEqual(left, []);
});

test('a journal that does not take the handover keeps the agent from leaving', async (t) => {
  const journal = await openTestJournal(t, temporaryDirectory(t));
  const left: string[] = [];
  const full = async (): Promise<void> => {
    throw new MusterError('storage_failed', 'the disk is full');
  };
  const { executor, resultOf } = await createTestExecutor(t, {
    journal: withOwn(journal, { handOver: full }),
    actions: [restartOf('one', () => void left.push('one'))],
  });
  const request = receive({ action: 'restart' });

  await executor.execute(request);

  const { status, error_code, error } = await resultOf(idOf(request));
  assert.deepEqual([status, error_code], ['error', 'storage_failed']);
  assert.match(error ?? '', /^Restart failed: .*Nothing was begun\.$/);
  assert.deepEqual(left, []);
});

test('F-63: an agent whose program has gone stays, and says that the restart failed', async (t) => {
  const left: string[] = [];
  const own = ownProcess({ files: ['/nonexistent/muster-agent.cjs'], leave: () => void left.push('one') });
  const { executor, resultOf } = await createTestExecutor(t, { actions: [restart(own)] });
  const request = receive({ action: 'restart' });

  await executor.execute(request);

  const { status, stderr } = await resultOf(idOf(request));
  assert.equal(status, 'failed');
  assert.match(stderr, /^Restart failed: \/nonexistent\/muster-agent\.cjs cannot be read/);
  assert.deepEqual(left, []);
});

test('what nobody follows any more ends as interrupted', async (t) => {
  const directory = temporaryDirectory(t);
  const request = receive({ action: 'restart' });
  const one = await startProcess(t, directory, 'one');
  await one.executor.execute(request);
  await until(() => one.left.length === 1, { what: 'the process is asked to leave' });
  await one.end();

  const two = await createTestExecutor(t, { directory, actions: [answering('restart')] });
  await two.executor.recover();

  const { status, error_code, launched } = await two.resultOf(idOf(request));
  assert.deepEqual([status, error_code, launched], ['error', 'interrupted', 'yes']);
});

test('an action that throws while it is followed ends as internal', async (t) => {
  const faulty = acting(
    'leave',
    async ({ handOver }) => {
      assert.equal(await handOver?.(0), true);
      return { kind: 'handed_over' };
    },
    {
      async follow() {
        throw new TypeError('x is not a function');
      },
    },
  );
  const { executor, resultOf } = await createTestExecutor(t, { actions: [faulty] });
  const request = receive({ action: 'leave' });

  await executor.execute(request);

  assert.equal((await resultOf(idOf(request))).error_code, 'internal');
});

test('an action that says it has handed over and has not is a fault, and no wait', async (t) => {
  const faulty = acting('leave', async () => ({ kind: 'handed_over' }), {
    async follow({ leaving }) {
      await whenFired(leaving);
      return { kind: 'left' };
    },
  });
  const { executor, resultOf } = await createTestExecutor(t, { actions: [faulty] });
  const request = receive({ action: 'leave' });

  await executor.execute(request);

  assert.equal((await resultOf(idOf(request))).error_code, 'internal');
});
