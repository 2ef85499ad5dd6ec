import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import { sql } from 'kysely';
import { z } from 'zod';
import { appendAudit, firstBrokenAuditRow } from '../../../controller/store/audit.js';
import { awaitPostgres } from '../../../controller/store/await-postgres.js';
import { createLease } from '../../../controller/store/lease.js';
import { openStore, type Store } from '../../../controller/store/store.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { freePort } from '../../support/free-port.js';
import { createDatabase, runStatement, startPostgres, type TestPostgres } from '../../support/postgres.js';
import { until } from '../../support/until.js';

let server: TestPostgres | undefined;
const ends: (() => unknown)[] = [];

before(async () => {
  server = await startPostgres({ after: (end) => void ends.unshift(end) });
});

after(async () => {
  for (const end of ends) await end();
});

const put = (store: Store, key: string): Promise<unknown> =>
  store.write((tx) => tx.insertInto('meta').values({ key, value: '' }).execute());

testOn('several controllers make the tables of one database at once', async ({ t, url }) => {
  const stores = await Promise.all([1, 2, 3].map(() => openStore(url)));
  for (const { close } of stores) t.after(close);

  for (const [index, store] of stores.entries()) await put(store, `key-${index}`);
  assert.equal((await stores[0]?.read.selectFrom('meta').selectAll().execute())?.length, 3);
});

testOn('text is compared by its octets, whatever the language of the database is', async ({ t, url }) => {
  const store = await open(t, url);

  for (const key of ['a', 'B', 'Z', 'é', '_', '-']) await put(store, key);

  const rows = await store.read.selectFrom('meta').select('key').orderBy('key').execute();
  assert.deepEqual(
    rows.map(({ key }) => key),
    ['-', 'B', 'Z', '_', 'a', 'é'],
  );
});

testOn('two controllers that write at once keep one audit chain (promise 21)', async ({ t, url }) => {
  const stores = [await open(t, url), await open(t, url)];
  const entry = { atMs: 1, org: 'default', actor: 'owner', event: 'tested', subject: 'thing:1' };

  await Promise.all(
    Array.from({ length: 100 }, (_, n) => stores[n % 2]?.write((tx) => appendAudit(tx, [entry])).then(nextTurn)),
  );

  const [{ read }] = [await open(t, url)];
  assert.equal((await read.selectFrom('audit').select('seq').execute()).length, 100);
  assert.equal(await firstBrokenAuditRow(read), undefined);
});

test('a server that would lose commits is refused (promise 1)', async (t) => {
  const unsafe = await startPostgres(t, ['fsync=off']);
  if (unsafe === undefined) return t.skip('PostgreSQL is not installed');

  await assertRejectsCode(openStore(await createDatabase(t, unsafe.url)), 'storage_failed');
});

testOn('a commit waits for the disk also where synchronous_commit is off (promise 1)', async ({ t, url }) => {
  await runStatement(
    url,
    `do $$ begin execute format('alter database %I set synchronous_commit = off', current_database()); end $$`,
  );
  const store = await open(t, url);

  const setting = await store.write(async (tx) => {
    const { rows } = await sql<{ value: string }>`select current_setting('synchronous_commit') as value`.execute(tx);
    return rows[0]?.value;
  });

  assert.equal(setting, 'on');
});

testOn('a database in another encoding is refused', async ({ server }) => {
  await runStatement(
    server.url,
    `create database latin encoding latin1 locale 'C' locale_provider libc template template0`,
  );

  await assertRejectsCode(openStore(server.url.replace(/[^/]*$/, 'latin')), 'storage_failed');
});

testOn('a text with NUL is stored, and hurts no neighbour in its batch', async ({ t, url }) => {
  const store = await open(t, url);

  await Promise.all([put(store, 'plain'), put(store, 'with\0nul')]);

  const rows = await store.read.selectFrom('meta').select('key').orderBy('key').execute();
  assert.deepEqual(
    rows.map(({ key }) => key),
    ['plain', 'with\uFFFDnul'],
  );
});

testOn('what a former term wants to write is refused, and its neighbours in the batch are kept', async ({ t, url }) => {
  const store = await open(t, url);
  await store.write((tx) => tx.updateTable('lease').set({ fence: 2 }).execute());

  const outcomes = await Promise.allSettled([
    put(store.inTerm(2), 'new'),
    put(store.inTerm(1), 'former'),
    put(store, 'of no term'),
  ]);

  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  await assertRejectsCode(put(store.inTerm(1), 'again'), 'unavailable');
});

testOn('a process that froze within a transaction does not keep others from writing', async ({ t, url }) => {
  const [frozen, other] = [await open(t, url), await open(t, url)];
  let isIn = false;
  const never = frozen.write(async (tx) => {
    await tx.insertInto('meta').values({ key: 'frozen', value: '' }).execute();
    isIn = true;
    await until(() => false, { what: 'it wakes', deadlineMs: 10_000 }).catch(() => undefined);
  });
  await until(() => isIn, { what: 'the transaction has begun' });

  await put(other, 'other');

  await assertRejectsCode(never, 'storage_failed');
  assert.deepEqual(await other.read.selectFrom('meta').select('key').execute(), [{ key: 'other' }]);
});

testOn(
  'while the server is gone writes fail with storage_failed, and go on when it is back (promise 1)',
  async ({ t, url, server }) => {
    const store = await open(t, url);
    await put(store, 'before');

    await server.kill();
    await assertRejectsCode(put(store, 'lost'), 'storage_failed');
    await assertRejectsCode(store.read.selectFrom('meta').selectAll().execute(), 'storage_failed');
    await server.start();

    await put(store, 'after');
    const rows = await store.read.selectFrom('meta').select('key').orderBy('key').execute();
    assert.deepEqual(
      rows.map(({ key }) => key),
      ['after', 'before'],
    );
  },
);

testOn('a store that a newer release wrote to PostgreSQL is refused', async ({ url }) => {
  await (await openStore(url)).close();
  await runStatement(url, `insert into kysely_migration (name, timestamp) values ('9999-later', '2030-01-01')`);

  await assertRejectsCode(openStore(url), 'store_too_new');
});

testOn('the tables stay as they are while a controller of another release leads on them', async ({ t, url }) => {
  await (await openStore(url)).close();
  const lease = createLease({ url, holder: 'other', address: 'http://other.example', onLost: () => undefined });
  t.after(lease.stop);
  await lease.claim();
  await runStatement(url, `delete from kysely_migration where name like '0013%'`); // as an older release left it

  const { message } = await assertRejectsCode(openStore(url), 'storage_failed');

  assert.equal(message, 'Controllers of another release run on this database: stop all of them, then start this one');
});

testOn('what is wrong with the URL is said in a sentence without it', async ({ url, server }) => {
  await runStatement(server.url, 'create role poor login');
  await runStatement(server.url, `create role locked login password 'right'`);
  const [{ hba_file: hba = '' } = {}] = z
    .array(z.object({ hba_file: z.string() }))
    .parse(await runStatement(server.url, 'show hba_file'));
  writeFileSync(hba, `host all locked 127.0.0.1/32 scram-sha-256\n${readFileSync(hba, 'utf8')}`);
  await runStatement(server.url, 'select pg_reload_conf()');

  for (const [bad, told] of [
    [url.replace('muster@', 'nobody@'), 'PostgreSQL does not let this user in from here (28000)'],
    [url.replace('muster@', 'locked:s3cret@'), 'PostgreSQL refuses the user or the password (28P01)'],
    [url.replace(/[^/]*$/, 'none'), 'PostgreSQL has no database of this name (3D000)'],
    [url.replace('muster@', 'poor@'), 'The user may not do this in the database: make it the owner of it (42501)'],
    [`${url}?sslmode=verify-full&sslrootcert=/none.pem`, "ENOENT: no such file or directory, open '/none.pem'"],
    ['postgres://muster:s3cret@127.0.0.1:port/none', 'Invalid URL'],
  ] as const) {
    const { message, cause } = await assertRejectsCode(openStore(bad), 'config_invalid');
    assert.ok(message.startsWith('controller.store_url') && message.endsWith(`: ${told}`), message);
    assert.doesNotMatch(message + inspect(cause), /s3cret/);
  }
  const gone = `postgres://muster@127.0.0.1:${await freePort()}/none`;
  const { message } = await assertRejectsCode(openStore(gone), 'storage_failed');
  assert.equal(message, 'PostgreSQL does not answer (ECONNREFUSED)');
});

testOn('a connection that is ended within a transaction undoes it, and the next one goes on', async ({ t, url }) => {
  const store = await open(t, url);
  await put(store, 'before');

  const cut = store.write(async (tx) => {
    await tx.insertInto('meta').values({ key: 'half', value: '' }).execute();
    await sql`select pg_terminate_backend(pg_backend_pid())`.execute(tx);
    await tx.insertInto('meta').values({ key: 'other half', value: '' }).execute();
  });

  await assertRejectsCode(cut, 'storage_failed');
  await put(store, 'after');
  const rows = await store.read.selectFrom('meta').select('key').orderBy('key').execute();
  assert.deepEqual(
    rows.map(({ key }) => key),
    ['after', 'before'],
  );
});

testOn('whoever leads is told of a commit whose answer was lost', async ({ t, url }) => {
  let doubts = 0;
  const store = await openStore(url, { onDoubt: () => (doubts += 1) });
  t.after(store.close);
  await runStatement(
    url,
    `create function hang_up() returns trigger language plpgsql as $$ begin
      perform pg_terminate_backend(pg_backend_pid()); return null; end $$;
    create constraint trigger at_commit after insert on meta deferrable initially deferred
      for each row execute function hang_up()`,
  );

  await assertRejectsCode(put(store, 'who knows'), 'storage_failed');

  assert.equal(doubts, 1);
});

test('a controller waits for a server that starts with it, and a stop ends the wait', async (t) => {
  if (server === undefined) return t.skip('PostgreSQL is not installed');
  const lines: string[] = [];
  const log = createLogger('controller', { destination: { write: (line) => lines.push(line) } });
  const said = (count: number) => until(() => lines.length >= count, { what: 'it says that it waits' });
  await server.kill();

  const stopping = new AbortController();
  const stopped = awaitPostgres(server.url, { clock: SYSTEM_CLOCK, log, stop: stopping.signal });
  await said(1);
  stopping.abort();
  await assertRejectsCode(stopped, 'storage_failed');
  const waiting = awaitPostgres(server.url, { clock: SYSTEM_CLOCK, log });
  await said(2);
  await server.start();

  await waiting;
});

/** A test with a database of its own. */
function testOn(
  title: string,
  body: (on: Readonly<{ t: TestContext; url: string; server: TestPostgres }>) => Promise<void>,
): void {
  test(title, async (t) => {
    if (server === undefined) return t.skip('PostgreSQL is not installed');
    await body({ t, url: await createDatabase(t, server.url), server });
  });
}

const nextTurn = (): Promise<void> => new Promise((later) => setImmediate(later));

async function open(t: TestContext, url: string): Promise<Store> {
  const store = await openStore(url);
  t.after(store.close);
  return store;
}
