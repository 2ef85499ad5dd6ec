import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ReceivedRequest, receiveLocally } from '../../../agent/executor/received.js';
import { Result } from '../../../protocol/messages/result.js';
import { acting, answering, createTestExecutor, idOf, receive, waiting } from '../../support/executor.js';
import { openTestJournal } from '../../support/journal.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const BY_ANNA = { triggered_by: { type: 'local', id: 'anna', reason: 'ticket 4711' } };

test('a local request runs before any welcome, and its result says all that the controller does not know', async (t) => {
  const checksum = 'ab'.repeat(32);
  const { executor, resultOf, told } = await createTestExecutor(t, { standing: () => undefined });
  const local = ask({ ...BY_ANNA, parameters: { level: 3 }, timeout: '7s', checksum });

  assert.equal(await executor.execute(local), '');
  const result = await resultOf(idOf(local));

  assert.deepEqual(pick(result), {
    origin: 'local',
    action: 'echo',
    parameters: { level: 3 },
    timeout: '7s',
    checksum,
  });
  assert.equal(result.status, 'success');
  assert.equal(result.request_sha256, undefined);
  assert.deepEqual(result.triggered_by, BY_ANNA.triggered_by);
  assert.deepEqual(
    told.map(({ kind }) => kind),
    ['result'],
    'nobody is acked',
  );
});

test('a local request is started whatever the clocks say, and keeps to every other rule', async (t) => {
  const longAgo = { issued_at: '2001-01-01T00:00:00Z', expires_at: '2001-01-01T01:00:00Z' };
  const { action, started, release } = waiting('wait');
  const { executor, resultOf } = await createTestExecutor(t, {
    actions: [action, answering('echo')],
    limits: { maxConcurrent: 1 },
  });
  t.after(release);
  const first = ask({ ...longAgo, action: 'wait' });
  assert.equal(await executor.execute(first), '');
  await until(() => started() === 1, { what: 'the start' });

  assert.equal(await executor.execute(ask(longAgo)), 'max_concurrent_reached');
  release();
  assert.equal((await resultOf(idOf(first))).status, 'success');
  assert.equal(await executor.execute(ask({ action: 'nothing' })), 'unknown_action');
  await executor.shutdown(0, AbortSignal.abort());
  assert.equal(await executor.execute(ask()), 'shutting_down');
});

test('a disabled agent runs nothing for a person on the node either', async (t) => {
  const { executor, journal } = await createTestExecutor(t, { limits: { enabled: false } });
  const local = ask();

  assert.equal(await executor.execute(local), 'actions_disabled');

  assert.equal(journal.find(idOf(local)), undefined);
});

test('a local execution that a crash cut off ends as interrupted, still of local origin', async (t) => {
  const directory = temporaryDirectory(t);
  const journal = await openTestJournal(t, directory);
  const local = ask(BY_ANNA);
  await journal.accept({ ...local, id: idOf(local), expiresMs: Date.now(), starting: true });
  journal.launched(idOf(local));
  await journal.close();

  const { executor, resultOf } = await createTestExecutor(t, { directory });
  await executor.recover();
  const result = await resultOf(idOf(local));

  assert.deepEqual([result.status, result.error_code, result.launched], ['error', 'interrupted', 'yes']);
  assert.deepEqual([result.origin, result.action, result.request_sha256], ['local', 'echo', undefined]);
});

test('a signed request does not become a local one by what it carries', async (t) => {
  const directory = temporaryDirectory(t);
  const journal = await openTestJournal(t, directory);
  const signed = receive({ local: ask().request, origin: 'local' });
  await journal.accept({ ...signed, id: idOf(signed), expiresMs: Date.now(), starting: true });
  await journal.close();

  const { executor, resultOf } = await createTestExecutor(t, { directory });
  await executor.recover();
  const result = await resultOf(idOf(signed));

  assert.deepEqual([result.origin, result.request_sha256], [undefined, signed.sha256]);
});

test('the output of a local execution is kept for the controller to ask for, and sent to nobody before', async (t) => {
  const { executor, output, journal, resultOf } = await createTestExecutor(t, {
    actions: [printing('print', 'x'.repeat(200_000))],
  });
  const whole = ask({ action: 'print', stream: true });

  assert.equal(await executor.execute(whole), '');
  const { chunks } = await resultOf(idOf(whole));

  assert.equal(chunks, 10);
  assert.equal([...journal.outputOf(idOf(whole))].length, chunks);
  assert.deepEqual(output, []);
});

test('a result with 48 KiB of parameters and all the output that may be inline fits its packet', async (t) => {
  const { executor, journal, resultOf } = await createTestExecutor(t, {
    actions: [printing('print', '\x01'.repeat(64 * 1024))],
  });
  const heavy = ask({ action: 'print', parameters: { note: 'n'.repeat(48 * 1024) } });

  assert.equal(await executor.execute(heavy), '');
  await resultOf(idOf(heavy));

  const bytes = journal.resultOf(idOf(heavy))?.length ?? Infinity;
  assert.ok((bytes * 4) / 3 + 512 < 256 * 1024, `${bytes} bytes`);
});

function ask(changes: Readonly<Record<string, unknown>> = {}): ReceivedRequest {
  return receiveLocally(receive(changes).request);
}

function printing(name: string, text: string) {
  return acting(name, async ({ output }) => {
    output.write('stdout', text);
    output.write('stderr', text);
    return { kind: 'exited', exitCode: 0 };
  });
}

function pick(result: Result) {
  const { origin, action, parameters, timeout, checksum } = Result.parse(result);
  return { origin, action, parameters, timeout, checksum };
}
