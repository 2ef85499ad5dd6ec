import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as afterMs } from 'node:timers/promises';
import type { Standing } from '../../../agent/executor/admission.js';
import { SYSTEM_CLOCK, toTime } from '../../../runtime/clock.js';
import { acting, answering, createTestExecutor, idOf, receive, standingNow, waiting } from '../../support/executor.js';
import { openTestJournal } from '../../support/journal.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const HOUR_MS = 3_600_000;
const NEVER = new AbortController().signal;

test('a cancel ends a running action, whose result is cancelled, launched yes', async (t) => {
  const wait = waiting('wait');
  const { executor, journal, resultOf } = await createTestExecutor(t, { actions: [wait.action] });
  const received = receive({ action: 'wait' });
  await executor.execute(received);

  await executor.cancel(cancelOf(idOf(received)));

  const { status, exit_code, launched } = await resultOf(idOf(received));
  assert.deepEqual([status, exit_code, launched], ['cancelled', -1, 'yes']);
  assert.equal(journal.find(idOf(received))?.cancelled, 'not needed');
});

test('a cancel that comes before its request keeps it from starting', async (t) => {
  const wait = waiting('echo');
  const { executor, acks } = await createTestExecutor(t, { actions: [wait.action] });
  const received = receive();

  await executor.cancel(cancelOf(idOf(received)));
  await executor.execute(received);

  assert.deepEqual(acks(idOf(received)), ['cancelled']);
  assert.equal(wait.started(), 0);
});

test('a cancel while the request is being written keeps it from starting: launched no', async (t) => {
  const wait = waiting('echo');
  const { executor, resultOf } = await createTestExecutor(t, { actions: [wait.action] });
  const received = receive();

  const executed = executor.execute(received);
  const cancelled = executor.cancel(cancelOf(idOf(received)));
  await Promise.all([executed, cancelled]);

  const { status, launched } = await resultOf(idOf(received));
  assert.deepEqual([status, launched], ['cancelled', 'no']);
  assert.equal(wait.started(), 0);
});

test('a broadcast that waits its spread holds no slot and starts when its time has come', async (t) => {
  const { executor, acks, resultOf } = await createTestExecutor(t, {
    limits: { maxConcurrent: 1 },
    random: () => 0.5,
  });
  const [spread, plain] = [receive(broadcast({ spread: '100ms' })), receive()];

  await executor.execute(spread);
  assert.deepEqual([executor.activeCount(), executor.running()], [0, [idOf(spread)]]);
  await executor.execute(plain);

  assert.deepEqual(acks(idOf(plain)), ['']);
  assert.equal((await resultOf(idOf(spread))).status, 'success');
});

test('a cancel ends a broadcast that still waits: launched no', async (t) => {
  const { executor, resultOf } = await createTestExecutor(t, { random: () => 1 });
  const received = receive(broadcast({ spread: '1h' }));
  await executor.execute(received);

  await executor.cancel(cancelOf(idOf(received)));

  const { status, launched } = await resultOf(idOf(received));
  assert.deepEqual([status, launched], ['cancelled', 'no']);
  assert.deepEqual(executor.running(), []);
});

test('a broadcast whose window closes while it waits ends as expired, launched no', async (t) => {
  let nowMs = SYSTEM_CLOCK.nowMs();
  const { executor, resultOf } = await createTestExecutor(t, {
    standing: () => ({ ...standingNow(), nowMs }),
    random: () => 1,
  });
  const received = receive(broadcast({ spread: '50ms', expires_at: toTime(nowMs + 60_000) }));

  await executor.execute(received);
  nowMs += 60_000;

  const { status, error_code, launched } = await resultOf(idOf(received));
  assert.deepEqual([status, error_code, launched], ['error', 'expired', 'no']);
});

test('a request for one node waits its spread, too, and holds no slot meanwhile', async (t) => {
  const wait = waiting('wait');
  const { executor, acks } = await createTestExecutor(t, { limits: { maxConcurrent: 1 }, actions: [wait.action] });
  await executor.execute(receive({ action: 'wait' }));
  const received = receive({ action: 'wait', spread: '1s' });

  await executor.execute(received);

  assert.deepEqual(acks(idOf(received)), ['']);
  assert.equal(executor.activeCount(), 1);
});

test('S-P-19, S-P-21, S-P-23, P-24, P-25, P-45…P-47: a shutdown cancels what runs, and returns when the results are recorded', async (t) => {
  const wait = waiting('wait');
  const { executor, results, journal } = await createTestExecutor(t, { actions: [wait.action] });
  const received = [receive({ action: 'wait' }), receive({ action: 'wait' })];
  for (const each of received) await executor.execute(each);

  await executor.shutdown(0, NEVER);

  for (const each of received) assert.equal(results(idOf(each))[0]?.status, 'cancelled');
  assert.equal(executor.activeCount(), 0);
  assert.deepEqual([...journal.unreceipted()].sort(), received.map(idOf).sort());
});

test('a shutdown waits for what ends by itself in time', async (t) => {
  const wait = waiting('wait');
  const { executor, results } = await createTestExecutor(t, { actions: [wait.action] });
  const received = receive({ action: 'wait' });
  await executor.execute(received);

  const stopped = executor.shutdown(60_000, NEVER);
  wait.release();
  await stopped;

  assert.equal(results(idOf(received))[0]?.status, 'success');
});

test('a second signal ends the wait of a shutdown', async (t) => {
  const wait = waiting('wait');
  const { executor, results } = await createTestExecutor(t, { actions: [wait.action] });
  const received = receive({ action: 'wait' });
  await executor.execute(received);
  const hurry = new AbortController();

  const stopped = executor.shutdown(60_000, hurry.signal);
  hurry.abort();
  await stopped;

  assert.equal(results(idOf(received))[0]?.status, 'cancelled');
});

test('S-P-22: a shutdown with nothing to do returns at once, also the second time', async (t) => {
  const { executor } = await createTestExecutor(t);

  await executor.shutdown(60_000, NEVER);
  await executor.shutdown(60_000, NEVER);
});

test('S-P-20, P-26, P-48: after a shutdown every request is rejected', async (t) => {
  const { executor, acks } = await createTestExecutor(t);
  await executor.shutdown(0, NEVER);
  const received = receive({ action: 'nothing' });

  await executor.execute(received);

  assert.deepEqual(acks(idOf(received)), ['shutting_down']);
});

test('S-P-24: a request that is being accepted while a shutdown begins is neither lost nor outlives it', async (t) => {
  const wait = waiting('echo');
  const { executor, acks, results } = await createTestExecutor(t, { actions: [wait.action] });
  const received = receive();

  const executed = executor.execute(received);
  await executor.shutdown(0, NEVER);
  await executed;

  assert.deepEqual(acks(idOf(received)), ['']);
  assert.deepEqual(
    results(idOf(received)).map(({ status, launched }) => [status, launched]),
    [['cancelled', 'no']],
  );
  assert.equal(executor.activeCount(), 0);
});

for (const [what, starting, launched, expected] of [
  ['before it started', false, false, 'no'],
  ['around its start', true, false, 'unknown'],
  ['while it ran', true, true, 'yes'],
] as const) {
  test(`a crash ${what} is reported as interrupted, launched ${expected}, and it never runs again`, async (t) => {
    const directory = temporaryDirectory(t);
    const received = receive({ triggered_by: { type: 'user', id: 'ada' } });
    await leaveOpen(directory, received, { starting, launched });
    const wait = waiting('echo');
    const { executor, acks, resultOf } = await createTestExecutor(t, { directory, actions: [wait.action] });

    await executor.recover();
    await executor.execute(received);

    const result = await resultOf(idOf(received));
    assert.deepEqual([result.status, result.error_code, result.launched], ['error', 'interrupted', expected]);
    assert.deepEqual(result.triggered_by, { type: 'user', id: 'ada' });
    assert.deepEqual(acks(idOf(received)), ['']);
    assert.equal(wait.started(), 0);
  });
}

test('a broadcast that waited when the agent ended waits again, and starts only after a welcome', async (t) => {
  const directory = temporaryDirectory(t);
  const received = receive(broadcast({ spread: '1ms' }));
  await leaveOpen(directory, received, { starting: false, launched: false });
  let standing: Standing | undefined;
  let started = 0;
  const action = acting('echo', async () => {
    started += 1;
    return { kind: 'exited', exitCode: 0 };
  });
  const { executor, resultOf, results } = await createTestExecutor(t, {
    directory,
    actions: [action],
    standing: () => standing,
    random: () => 0,
  });

  await executor.recover();
  await afterMs(10); // timers fire in their order, and the one of this broadcast is due after 1 ms
  assert.deepEqual([started, results(idOf(received))], [0, []]);
  standing = standingNow();
  executor.welcomed();

  assert.equal((await resultOf(idOf(received))).status, 'success');
  assert.equal(started, 1);
});

test('a broadcast whose window closed while the agent was away ends as expired', async (t) => {
  const directory = temporaryDirectory(t);
  const nowMs = SYSTEM_CLOCK.nowMs();
  const received = receive(broadcast({ spread: '1ms', expires_at: toTime(nowMs + HOUR_MS) }));
  await leaveOpen(directory, received, { starting: false, launched: false });
  const { executor, resultOf } = await createTestExecutor(t, {
    directory,
    standing: () => ({ ...standingNow(), nowMs: nowMs + HOUR_MS }),
    random: () => 0,
  });

  await executor.recover();

  const { error_code, launched } = await resultOf(idOf(received));
  assert.deepEqual([error_code, launched], ['expired', 'no']);
});

test('a waiting broadcast that was cancelled before a crash ends as cancelled', async (t) => {
  const directory = temporaryDirectory(t);
  const received = receive(broadcast({ spread: '1h' }));
  const journal = await openTestJournal(t, directory);
  await journal.accept({ ...entryOf(received), starting: false });
  await journal.cancel(cancelOf(idOf(received)));
  await journal.close();
  const { executor, resultOf } = await createTestExecutor(t, { directory });

  await executor.recover();

  const { status, launched } = await resultOf(idOf(received));
  assert.deepEqual([status, launched], ['cancelled', 'no']);
});

test('an action that is no longer offered when its wait is over ends as an error', async (t) => {
  const directory = temporaryDirectory(t);
  const received = receive(broadcast({ spread: '1ms', action: 'gone' }));
  await leaveOpen(directory, received, { starting: false, launched: false });
  const { executor, resultOf } = await createTestExecutor(t, { directory, actions: [answering('echo')] });

  await executor.recover();

  assert.equal((await resultOf(idOf(received))).error_code, 'hook_not_found');
});

function cancelOf(id: string) {
  return { id, reason: 'not needed', expiresMs: SYSTEM_CLOCK.nowMs() + HOUR_MS };
}

function broadcast(changes: Readonly<Record<string, unknown>>) {
  return { target: { fleet: true }, roster_at: toTime(SYSTEM_CLOCK.nowMs()), ...changes };
}

function entryOf({ request, octets, sha256 }: ReturnType<typeof receive>) {
  return { id: request.execution_id, sha256, octets, expiresMs: Date.parse(request.expires_at) };
}

/** A journal as a crash leaves it. */
async function leaveOpen(
  directory: string,
  received: ReturnType<typeof receive>,
  { starting, launched }: { starting: boolean; launched: boolean },
): Promise<void> {
  const journal = await openTestJournal({ after: () => undefined }, directory);
  await journal.beginEpoch(Date.parse('2026-01-01T00:00:00Z'));
  await journal.accept({ ...entryOf(received), starting });
  if (launched) journal.launched(idOf(received));
  await journal.close();
}
