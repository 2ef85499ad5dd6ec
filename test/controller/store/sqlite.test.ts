import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Migrator, sql } from 'kysely';
import { MIGRATIONS } from '../../../controller/store/migrations/list.js';
import { openConnection } from '../../../controller/store/sqlite.js';
import { DATABASE_FILE, openStore } from '../../../controller/store/store.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { runnable } from '../../support/runnable.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

test('every connection runs with a write-ahead log, a sync at each commit and foreign keys, also when reopened', async (t) => {
  const file = join(temporaryDirectory(t), DATABASE_FILE);
  await openConnection(file).close();

  const connection = openConnection(file);
  t.after(connection.close);

  const pragma = async (name: string) => (await sql.raw(`PRAGMA ${name}`).execute(connection.queries)).rows[0];
  assert.equal(Object(await pragma('journal_mode')).journal_mode, 'wal');
  assert.equal(Object(await pragma('synchronous')).synchronous, 2);
  assert.equal(Object(await pragma('foreign_keys')).foreign_keys, 1);
});

test('only its owner may read the store', async (t) => {
  const directory = temporaryDirectory(t);
  const store = await openStore(directory);
  t.after(store.close);

  for (const name of [DATABASE_FILE, `${DATABASE_FILE}-wal`]) {
    assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600, name);
  }
});

test('a commit syncs the write-ahead log before it is acknowledged (promise 1)', (t) => {
  const directory = temporaryDirectory(t);
  const trace = join(directory, 'trace');
  const { script, execArgv } = runnable(new URL('./one-commit-child.ts', import.meta.url));
  const strace = ['-f', '-qq', '-e', 'trace=fdatasync,fsync,write', '-e', 'signal=none', '-y', '-o', trace];
  const { status, error } = spawnSync('strace', [...strace, process.execPath, ...execArgv, script, directory]);
  if (error !== undefined) return t.skip('strace is not installed');

  const lines = readFileSync(trace, 'utf8').split('\n');
  const begin = lines.findIndex((line) => line.includes('commit begins'));
  const end = lines.findIndex((line) => line.includes('commit acknowledged'));
  assert.equal(status, 0);
  assert.ok(begin !== -1 && end > begin);
  const between = lines.slice(begin, end);
  assert.ok(between.some((line) => /f(data)?sync\(\d+<[^>]*muster\.db-wal>\)/.test(line)));
});

test('F-5, F-18, S-F-26: a store that is opened again has its tables already, and keeps what is in it', async (t) => {
  const directory = temporaryDirectory(t);
  const row = { key: 'kept', value: 'yes' };
  const first = await openStore(directory);
  await first.write((tx) => tx.insertInto('meta').values(row).execute());
  await first.close();

  for (let count = 0; count < 2; count += 1) {
    const again = await openStore(directory);
    assert.deepEqual(await again.read.selectFrom('meta').selectAll().where('key', '=', 'kept').execute(), [row]);
    await again.close();
  }
});

test('a store that a newer release wrote is refused', async (t) => {
  const directory = temporaryDirectory(t);
  const store = await openStore(directory);
  await store.write((tx) =>
    tx
      .withTables<{ kysely_migration: { name: string; timestamp: string } }>()
      .insertInto('kysely_migration')
      .values({ name: '9999-later', timestamp: '2030-01-01' })
      .execute(),
  );
  await store.close();

  await assertRejectsCode(openStore(directory), 'store_too_new');
});

test('a step to a newer shape that fails in its middle leaves nothing behind, and is made at the next start', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, DATABASE_FILE);
  const before = openConnection(file);
  const older = Object.fromEntries(Object.entries(MIGRATIONS).filter(([name]) => name < '0014'));
  const { error } = await new Migrator({
    db: before.queries,
    provider: { getMigrations: async () => older },
  }).migrateToLatest();
  assert.equal(error, undefined);
  before.exec('drop index invocations_by_action');
  await before.close();

  await assertRejectsCode(openStore(directory), 'storage_failed'); // its second statement misses an index

  const after = openConnection(file);
  after.exec('create index invocations_by_action on invocations (org, action, id)');
  await after.close();
  await (await openStore(directory)).close();
});

test('a file that is no database is refused', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, DATABASE_FILE), 'not a database, but long enough to look like one'.repeat(100));

  await assertRejectsCode(openStore(directory), 'storage_failed');
});

test('a directory that is gone is refused', async (t) => {
  await assertRejectsCode(openStore(join(temporaryDirectory(t), 'missing')), 'storage_failed');
});

test('a read that the disk fails is told as storage_failed, as a write is', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, DATABASE_FILE);
  await (await openStore(directory)).close();
  const before = openConnection(file);
  before.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  await before.close();
  const { queries, close } = openConnection(file);
  t.after(close);
  const bytes = readFileSync(file);
  writeFileSync(file, bytes.fill(0xff, 4096)); // all but the first page

  await assertRejectsCode(queries.selectFrom('audit').selectAll().execute(), 'storage_failed');
});
