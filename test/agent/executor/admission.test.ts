import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Standing } from '../../../agent/executor/admission.js';
import { SYSTEM_CLOCK, toTime } from '../../../runtime/clock.js';
import { answering, createTestExecutor, idOf, receive, standingNow, waiting } from '../../support/executor.js';
import { until } from '../../support/until.js';

const HOUR_MS = 3_600_000;

test('S-P-8, S-P-10, P-4, P-18, P-23, P-31, P-37, P-55, P-84: a request gets one accepted ack, then one result', async (t) => {
  const { executor, told, resultOf } = await createTestExecutor(t);
  const received = receive();

  await executor.execute(received);
  const { status, exit_code, stdout } = await resultOf(idOf(received));

  assert.deepEqual(
    told.map(({ kind, id }) => [kind, id]),
    [
      ['ack', idOf(received)],
      ['result', idOf(received)],
    ],
  );
  assert.deepEqual([status, exit_code, stdout], ['success', 0, 'hello\n']);
});

test('P-5, P-32: the handler is done once a request is accepted, while its action runs on', async (t) => {
  const wait = waiting('wait');
  const { executor, acks, results, resultOf } = await createTestExecutor(t, { actions: [wait.action] });
  const received = receive({ action: 'wait' });

  await executor.execute(received);

  assert.deepEqual([acks(idOf(received)), results(idOf(received))], [[''], []]);
  assert.equal(executor.activeCount(), 1);
  wait.release();
  assert.equal((await resultOf(idOf(received))).status, 'success');
});

test('S-P-11, P-30, P-99: an unknown name is rejected and has no result', async (t) => {
  const { executor, journal, told } = await createTestExecutor(t);
  const received = receive({ action: 'nothing' });

  await executor.execute(received);

  assert.deepEqual(told, [{ kind: 'ack', id: idOf(received), reason: 'unknown_action' }]);
  assert.equal(journal.find(idOf(received)), undefined);
});

test('S-P-14, P-53, P-98: a disabled agent says so before it looks at anything else', async (t) => {
  const { executor, told } = await createTestExecutor(t, { limits: { enabled: false }, standing: () => undefined });
  const received = receive({ action: 'nothing' });

  void executor.execute(received);

  assert.deepEqual(told, [{ kind: 'ack', id: idOf(received), reason: 'actions_disabled' }]);
});

test('S-P-15, P-28: above the limit a request is rejected, and its id works once a slot is free', async (t) => {
  const wait = waiting('wait');
  const { executor, acks, resultOf } = await createTestExecutor(t, {
    limits: { maxConcurrent: 1 },
    actions: [wait.action],
  });
  const [first, second] = [receive({ action: 'wait' }), receive({ action: 'wait' })];
  await executor.execute(first);
  await executor.execute(second);
  assert.deepEqual(acks(idOf(second)), ['max_concurrent_reached']);

  wait.release();
  await resultOf(idOf(first));
  await executor.execute(second);

  assert.deepEqual(acks(idOf(second)), ['max_concurrent_reached', '']);
});

test('while only reading actions are taken, others are refused for now, also those of people on the node', async (t) => {
  const change = { ...answering('change'), risk: 'write' } as const;
  let readsOnly = true;
  const { executor, acks } = await createTestExecutor(t, {
    actions: [answering('echo'), change],
    readsOnly: () => readsOnly,
  });
  const [reading, writing] = [receive(), receive({ action: 'change' })];
  await executor.execute(reading);
  await executor.execute(writing);
  assert.equal(await executor.execute({ ...receive({ action: 'change' }), isLocal: true }), 'max_concurrent_reached');

  readsOnly = false;
  await executor.execute(writing);

  assert.deepEqual([acks(idOf(reading)), acks(idOf(writing))], [[''], ['max_concurrent_reached', '']]);
});

test('above the concurrency of its action a request is rejected, others run, and its id works once it has ended', async (t) => {
  const [deploy, other] = [waiting('deploy'), waiting('other')];
  const { executor, acks, resultOf } = await createTestExecutor(t, {
    actions: [{ ...deploy.action, concurrency: 1 }, other.action],
  });
  const [first, second] = [receive({ action: 'deploy' }), receive({ action: 'deploy' })];
  const [third, fourth] = [receive({ action: 'other' }), receive({ action: 'other' })];
  for (const received of [first, second, third, fourth]) await executor.execute(received);
  assert.deepEqual([first, second, third, fourth].map(idOf).map(acks), [[''], ['max_concurrent_reached'], [''], ['']]);

  deploy.release();
  await resultOf(idOf(first));
  await until(() => executor.activeCount() === 2, { what: 'a free slot' });
  await executor.execute(second);

  assert.deepEqual(acks(idOf(second)), ['max_concurrent_reached', '']);
  assert.equal(deploy.most(), 1);
});

test('broadcasts whose wait is over start one after the other where their action allows one at a time', async (t) => {
  const deploy = waiting('deploy');
  const { executor, resultOf } = await createTestExecutor(t, {
    actions: [{ ...deploy.action, concurrency: 1 }],
    random: () => 0,
  });
  const both = [0, 1].map(() => receive({ ...fleet('2026-06-01T00:00:00Z'), action: 'deploy', spread: '1s' }));
  for (const received of both) await executor.execute(received);
  await until(() => deploy.started() === 1, { what: 'the first start' });

  deploy.release();
  await until(() => deploy.started() === 2, { what: 'the second start' });
  deploy.release();

  for (const received of both) assert.equal((await resultOf(idOf(received))).status, 'success');
  assert.equal(deploy.most(), 1);
});

test('S-P-18: of six requests at once, three run and three are rejected', async (t) => {
  const wait = waiting('wait');
  const { executor, told } = await createTestExecutor(t, { limits: { maxConcurrent: 3 }, actions: [wait.action] });

  await Promise.all(Array.from({ length: 6 }, () => executor.execute(receive({ action: 'wait' }))));

  assert.deepEqual(told.map((each) => (each.kind === 'ack' ? each.reason : '?')).sort(), [
    ...['', '', ''],
    ...Array<string>(3).fill('max_concurrent_reached'),
  ]);
  wait.release();
  await until(() => told.length === 9, { what: 'three results' });
  assert.equal(wait.most(), 3);
});

test('S-P-16, P-27: the same id while it runs is rejected, and the first run goes on', async (t) => {
  const wait = waiting('wait');
  const { executor, acks, results, resultOf } = await createTestExecutor(t, { actions: [wait.action] });
  const received = receive({ action: 'wait' });

  await Promise.all([executor.execute(received), executor.execute(received)]);
  await executor.execute(received);
  wait.release();
  await resultOf(idOf(received));

  assert.deepEqual(acks(idOf(received)).sort(), ['', 'duplicate_execution_id', 'duplicate_execution_id']);
  assert.equal(wait.started(), 1);
  assert.equal(results(idOf(received)).length, 1);
});

test('P-38: a finished id gets the accepted ack and the same result again, until the receipt', async (t) => {
  const { executor, journal, acks, results, resultOf } = await createTestExecutor(t);
  const received = receive();
  const id = idOf(received);
  await executor.execute(received);
  await resultOf(id);

  await executor.execute(received);
  assert.deepEqual(acks(id), ['', '']);
  assert.equal(results(id).length, 2);
  assert.deepEqual(results(id)[0], results(id)[1]);

  await journal.receipt([id]);
  await executor.execute(received);
  assert.deepEqual(acks(id), ['', '', '']);
  assert.equal(results(id).length, 2);
});

test('the same id with other octets is rejected and leaves a line for the audit', async (t) => {
  const { executor, acks, results, resultOf, logs } = await createTestExecutor(t);
  const received = receive();
  const id = idOf(received);
  await executor.execute(received);
  await resultOf(id);

  await executor.execute(receive({ execution_id: id, parameters: { other: true } }));

  assert.deepEqual(acks(id), ['', 'duplicate_execution_id']);
  assert.equal(results(id).length, 1);
  assert.ok(logs.some(({ event, execution_id }) => event === 'id_reused' && execution_id === id));
});

for (const [what, reason, changes] of [
  ['issued more than 2 min ahead', 'not_yet_valid', { issued_at: at(130_000), expires_at: at(HOUR_MS) }],
  ['whose end has come', 'expired', { issued_at: at(-HOUR_MS), expires_at: at(-1) }],
  ['for the fleet, from before this node', 'wrong_target', { ...fleet('2025-06-01T00:00:00Z') }],
  ['for a group, from before this node', 'wrong_target', { ...group('pumps', '2025-06-01T00:00:00Z') }],
  ['for a group of others', 'wrong_target', { ...group('valves', '2026-06-01T00:00:00Z') }],
] as const) {
  test(`S-P-64: a request ${what} is rejected with ${reason}`, async (t) => {
    const { executor, journal, told } = await createTestExecutor(t);
    const received = receive(changes);

    await executor.execute(received);

    assert.deepEqual(told, [{ kind: 'ack', id: idOf(received), reason }]);
    assert.equal(journal.find(idOf(received)), undefined);
  });
}

for (const [what, changes] of [
  ['issued up to 2 min ahead', { issued_at: at(110_000), expires_at: at(HOUR_MS) }],
  ['for the fleet that this node was in', { ...fleet('2026-06-01T00:00:00Z') }],
  ['for a group that this node was in', { ...group('pumps', '2026-06-01T00:00:00Z') }],
] as const) {
  test(`a request ${what} is accepted`, async (t) => {
    const { executor, acks, resultOf } = await createTestExecutor(t);
    const received = receive(changes);

    await executor.execute(received);
    await resultOf(idOf(received));

    assert.deepEqual(acks(idOf(received)), ['']);
  });
}

test('a request issued before the journal began is rejected with before_epoch', async (t) => {
  const standing = { ...standingNow(), nowMs: Date.parse('2026-01-02T00:00:00Z') };
  const { executor, acks } = await createTestExecutor(t, { standing: () => standing });
  const received = receive({ issued_at: '2025-12-31T00:00:00Z', expires_at: '2026-01-05T00:00:00Z' });

  await executor.execute(received);

  assert.deepEqual(acks(idOf(received)), ['before_epoch']);
});

test('before the first welcome of a process nothing starts', async (t) => {
  let standing: Standing | undefined;
  const { executor, acks } = await createTestExecutor(t, { standing: () => standing });
  const received = receive();

  await executor.execute(received);
  standing = standingNow();
  await executor.execute(received);

  assert.deepEqual(acks(idOf(received)), ['not_yet_valid', '']);
});

test('the window is judged by the time of the controller, not by the clock of the node', async (t) => {
  const lateBy = 10 * 365 * 24 * HOUR_MS;
  const { executor, acks } = await createTestExecutor(t, {
    standing: () => ({ ...standingNow(), nowMs: SYSTEM_CLOCK.nowMs() + lateBy }),
  });
  const [stale, fresh] = [receive(), receive({ issued_at: at(lateBy - 1000), expires_at: at(lateBy + HOUR_MS) })];

  await executor.execute(stale);
  await executor.execute(fresh);

  assert.deepEqual([acks(idOf(stale)), acks(idOf(fresh))], [['expired'], ['']]);
});

test('P-3: the checks come in the fixed order', async (t) => {
  const wait = waiting('wait');
  const { executor, acks } = await createTestExecutor(t, {
    limits: { maxConcurrent: 1 },
    actions: [wait.action, answering('echo')],
  });
  const running = receive({ action: 'wait' });
  await executor.execute(running);

  const expiredAndFull = receive({ issued_at: at(-HOUR_MS), expires_at: at(-1), action: 'nothing' });
  const fullAndUnknown = receive({ action: 'nothing' });
  for (const received of [expiredAndFull, fullAndUnknown, running]) await executor.execute(received);
  assert.deepEqual(acks(idOf(expiredAndFull)), ['expired']);
  assert.deepEqual(acks(idOf(fullAndUnknown)), ['max_concurrent_reached']);
  assert.deepEqual(acks(idOf(running)), ['', 'duplicate_execution_id']);

  const stopped = executor.shutdown(0, AbortSignal.abort());
  await executor.execute(running);
  await stopped;
  assert.deepEqual(acks(idOf(running)), ['', 'duplicate_execution_id', 'shutting_down']);
});

function at(offsetMs: number): string {
  return toTime(SYSTEM_CLOCK.nowMs() + offsetMs);
}

function fleet(roster: string) {
  return { issued_at: at(0), expires_at: at(HOUR_MS), target: { fleet: true }, roster_at: roster };
}

function group(id: string, roster: string) {
  return { issued_at: at(0), expires_at: at(HOUR_MS), target: { group: id }, roster_at: roster };
}
