import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOutbox, type Outbox } from '../../agent/outbox.js';
import { MusterError } from '../../protocol/errors.js';
import { createLogger } from '../../runtime/logger.js';
import type { TestScope } from '../support/broker.js';
import { journalRequest, openTestJournal } from '../support/journal.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const WINDOW = 50;
const NEVER = new AbortController().signal;

test('a result is published at once, and again only when it is due', async (t) => {
  const { outbox, published, finish, passMs } = await setUp(t);
  const [id] = await finish(1);

  outbox.add(id ?? '');
  await outbox.settled(NEVER);
  assert.deepEqual(published, [id]);
  passMs(3_900);
  outbox.add('unknown');
  assert.deepEqual(published, [id]);

  passMs(2_200);
  await until(() => published.length === 2, { what: 'the result again' });
});

test('the wait doubles from 5 s to 5 min', async (t) => {
  const { outbox, published, finish, passMs } = await setUp(t);
  outbox.add((await finish(1))[0] ?? '');
  await outbox.settled(NEVER);

  for (const [index, waitMs] of [5, 10, 20, 40, 80, 160, 300, 300].map((seconds) => seconds * 1000).entries()) {
    passMs(waitMs + 1);
    await until(() => published.length === index + 2, { what: `publish ${index + 2}` });
  }
});

test('a receipt ends it, durably', async (t) => {
  const { outbox, journal, published, finish, passMs, counts } = await setUp(t);
  const ids = await finish(2);
  for (const id of ids) outbox.add(id);
  await outbox.settled(NEVER);

  await outbox.receipt(ids);
  passMs(600_000);
  const [next] = await finish(1);
  outbox.add(next ?? '');
  await outbox.settled(NEVER);

  assert.deepEqual(published, [...ids, next]);
  assert.deepEqual(journal.unreceipted(), [next]);
  assert.deepEqual(counts.slice(-2), [0, 1]);
});

test('a welcome publishes what is unreceipted, oldest first, each once, at most 50 at a time', async (t) => {
  const { outbox, published, finish, hold, release } = await setUp(t);
  const ids = await finish(120);
  for (const id of ids) outbox.add(id);
  await outbox.settled(NEVER);
  published.length = 0;
  hold();

  outbox.flush();
  outbox.flush();
  assert.deepEqual(published, ids.slice(0, WINDOW));
  release();
  await outbox.settled(NEVER);

  assert.deepEqual(published, ids);
});

test('what did not reach the broker is not settled until it does', async (t) => {
  const { outbox, published, finish, fail } = await setUp(t);
  const [id] = await finish(1);
  fail(true);
  outbox.add(id ?? '');
  const patience = new AbortController();
  const given = outbox.settled(patience.signal);
  patience.abort();
  await given;
  assert.deepEqual(published, []);

  fail(false);
  outbox.flush();
  await outbox.settled(NEVER);

  assert.deepEqual(published, [id]);
});

test('P-104, P-111: a result that cannot be sent leaves one warning with its id, and is sent later', async (t) => {
  const { outbox, published, finish, passMs, fail, logs, tries } = await setUp(t);
  const [id = ''] = await finish(1);
  fail(true);

  outbox.add(id);
  await until(() => logs.length === 1, { what: 'the warning' });
  passMs(60_000);
  await until(() => tries() === 2, { what: 'another try' });
  fail(false);
  passMs(60_000);
  await until(() => published.length === 1, { what: 'the result' });

  assert.deepEqual(
    logs.map(({ level, execution_id, error }) => [level, execution_id, error]),
    [['warn', id, 'There is no connection']],
  );
});

test('what an earlier process left unreceipted waits for the welcome', async (t) => {
  const directory = temporaryDirectory(t);
  const first = await setUp(t, directory);
  const ids = await first.finish(2);
  await first.journal.close();

  const { outbox, published } = await setUp(t, directory);
  outbox.flush();
  await outbox.settled(NEVER);

  assert.deepEqual(published, ids);
});

test('a result that is asked for before it is on disk is published once it is', async (t) => {
  const { outbox, journal, published } = await setUp(t);
  const request = journalRequest();
  await journal.accept(request);

  const finishing = journal.finish(request.id, Buffer.from(request.id), []);
  outbox.add(request.id);
  assert.deepEqual(published, []);
  await finishing;
  outbox.add(request.id);
  await outbox.settled(NEVER);

  assert.deepEqual(published, [request.id]);
});

async function setUp(t: TestScope, directory = temporaryDirectory(t)) {
  const journal = await openTestJournal(t, directory);
  const published: string[] = [];
  const counts: number[] = [];
  const logs: Record<string, unknown>[] = [];
  let offsetMs = 0;
  let isFailing = false;
  let tried = 0;
  let held: Promise<void> = Promise.resolve();
  let release: () => void = () => undefined;
  const outbox: Outbox = createOutbox({
    journal,
    async publish(payload) {
      tried += 1;
      if (isFailing) throw new MusterError('not_connected', 'There is no connection');
      published.push(payload.toString());
      await held;
    },
    onCount: (count) => counts.push(count),
    clock: { nowMs: Date.now, monotonicMs: () => performance.now() + offsetMs },
    log: createLogger('agent', { destination: { write: (line) => void logs.push(JSON.parse(line)) } }),
    random: () => 0.5,
  });
  t.after(outbox.stop);
  return {
    ...{ outbox, journal, published, counts, logs },
    tries: () => tried,
    passMs: (ms: number) => {
      offsetMs += ms;
    },
    fail: (isTrue: boolean) => {
      isFailing = isTrue;
    },
    hold: () => {
      held = new Promise((resolve) => {
        release = resolve;
      });
    },
    release: () => release(),
    /** Ids of executions that have finished; the result of each is its id. */
    async finish(count: number): Promise<string[]> {
      const requests = Array.from({ length: count }, () => journalRequest());
      await Promise.all(requests.map(journal.accept));
      await Promise.all(requests.map(({ id }) => journal.finish(id, Buffer.from(id), [])));
      return requests.map(({ id }) => id);
    },
  };
}
