import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Queries } from '../../../controller/store/database.js';
import { openConnection, transact } from '../../../controller/store/sqlite.js';
import { DATABASE_FILE, openStore } from '../../../controller/store/store.js';
import { createWriter } from '../../../controller/store/writer.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { runnable } from '../../support/runnable.js';
import { storePlace } from '../../support/store-place.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

test('a write that throws is undone, and its neighbours in the batch are kept', async (t) => {
  const store = await openStore(await storePlace(t));
  t.after(store.close);

  const outcomes = await Promise.allSettled([
    store.write((tx) => tx.insertInto('meta').values({ key: 'a', value: '1' }).execute()),
    store.write(async (tx) => {
      await tx.insertInto('meta').values({ key: 'b', value: '1' }).execute();
      throw new Error('changed its mind');
    }),
    store.write((tx) => tx.insertInto('meta').values({ key: 'c', value: '1' }).execute()),
  ]);

  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  const rows = await store.read.selectFrom('meta').select('key').orderBy('key').execute();
  assert.deepEqual(
    rows.map(({ key }) => key),
    ['a', 'c'],
  );
});

test('writes run in the order in which they were asked, and each sees those before it', async (t) => {
  const store = await openStore(await storePlace(t));
  t.after(store.close);

  const counts = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      store.write(async (tx) => {
        await tx
          .insertInto('meta')
          .values({ key: `k${index}`, value: '' })
          .execute();
        const { n } = await tx
          .selectFrom('meta')
          .select(({ fn }) => fn.countAll<number>().as('n'))
          .executeTakeFirstOrThrow();
        return n;
      }),
    ),
  );

  assert.deepEqual(
    counts,
    Array.from({ length: 50 }, (_, index) => index + 1),
  );
});

test('a write that may wait shares the commit of the next that may not, also when asked during another', async (t) => {
  const connection = openConnection(join(temporaryDirectory(t), DATABASE_FILE));
  t.after(connection.close);
  connection.exec('create table meta (key text primary key, value text not null)');
  t.mock.timers.enable({ apis: ['setTimeout'] }); // the 50 ms that it waits at most never pass
  let commits = 0;
  const database = {
    async transact(work: (tx: Queries) => Promise<void>) {
      await transact(connection, work);
      commits += 1;
    },
  };
  const writer = createWriter(database, { clock: SYSTEM_CLOCK, onEvents: () => undefined });
  const add = async (tx: Queries, key: string): Promise<void> => {
    await tx.insertInto('meta').values({ key, value: '' }).execute();
  };

  let waits: Promise<void> | undefined;
  await writer.write((tx) => {
    waits = writer.write((later) => add(later, 'b'), { lazy: true });
    return add(tx, 'a');
  });
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  assert.equal(commits, 1);
  await Promise.all([waits, writer.write((tx) => add(tx, 'c'))]);

  assert.equal(commits, 2);
});

test('writes that are asked together share one commit', async (t) => {
  const connection = openConnection(join(temporaryDirectory(t), DATABASE_FILE));
  t.after(connection.close);
  connection.exec('create table meta (key text primary key, value text not null)');
  let commits = 0;
  const database = {
    async transact(work: (tx: Queries) => Promise<void>) {
      await transact(connection, work);
      commits += 1;
    },
  };
  const writer = createWriter(database, { clock: SYSTEM_CLOCK, onEvents: () => undefined });

  await Promise.all(
    Array.from({ length: 100 }, (_, index) =>
      writer.write((tx) =>
        tx
          .insertInto('meta')
          .values({ key: `k${index}`, value: '' })
          .execute(),
      ),
    ),
  );

  assert.equal(commits, 1);
});

test('a lazy write is on disk without another write to join', async (t) => {
  const store = await openStore(await storePlace(t));
  t.after(store.close);

  await store.write((tx) => tx.insertInto('meta').values({ key: 'a', value: '1' }).execute(), { lazy: true });

  assert.equal((await store.read.selectFrom('meta').selectAll().execute()).length, 1);
});

test('a reader does not see what is not committed', async (t) => {
  const store = await openStore(await storePlace(t));
  t.after(store.close);

  const seen = await store.write(async (tx) => {
    await tx.insertInto('meta').values({ key: 'a', value: '1' }).execute();
    return store.read.selectFrom('meta').selectAll().execute();
  });

  assert.deepEqual(seen, []);
});

test('more writes than the queue holds are refused with overloaded', async (t) => {
  const store = await openStore(await storePlace(t));
  t.after(store.close);

  const waiting = Array.from({ length: 10_000 }, () => store.write(async () => undefined));

  await assertRejectsCode(
    store.write(async () => undefined),
    'overloaded',
  );
  await Promise.all(waiting);
});

test('closing the store commits what is queued and refuses what comes after', async (t) => {
  const place = await storePlace(t);
  const store = await openStore(place);

  const queued = store.write((tx) => tx.insertInto('meta').values({ key: 'a', value: '1' }).execute());
  const closed = store.close();
  await assertRejectsCode(
    store.write(async () => undefined),
    'unavailable',
  );
  await queued;
  await closed;

  const again = await openStore(place);
  t.after(again.close);
  assert.equal((await again.read.selectFrom('meta').selectAll().execute()).length, 1);
});

test('every write that was acknowledged survives kill -9 (promise 1)', async (t) => {
  const place = await storePlace(t);
  const { script, execArgv } = runnable(new URL('./writing-child.ts', import.meta.url));
  const child = fork(script, [place], { execArgv: [...execArgv] });
  const acknowledged: string[] = [];
  child.on('message', (key) => acknowledged.push(String(key)));
  await until(() => acknowledged.length >= 200, { what: '200 acknowledged writes', deadlineMs: 30_000 });

  child.kill('SIGKILL');
  await once(child, 'exit');

  const store = await openStore(place);
  t.after(store.close);
  const rows = await store.read.selectFrom('meta').select('key').execute();
  const kept = new Set(rows.map(({ key }) => key));
  assert.deepEqual(
    acknowledged.filter((key) => !kept.has(key)),
    [],
  );
});
