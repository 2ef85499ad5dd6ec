import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStore, type Store } from '../../../controller/store/store.js';
import { createSmallDisk, lacksSmallDisk } from '../../faults/tools/small-disk.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { backwards } from '../../support/backwards.js';
import { startPostgres } from '../../support/postgres.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const FILLER = 'x'.repeat(100_000);

test('a PostgreSQL whose disk is full loses nothing that was acknowledged, and writes go on when it has room (promise 16)', async (t) => {
  const lacks = lacksSmallDisk();
  if (lacks !== undefined) return t.skip(lacks);
  const scope = backwards(t);
  const directory = temporaryDirectory(scope);
  chmodSync(directory, 0o755); // the server may run as another user
  const disk = await createSmallDisk({ path: join(directory, 'disk'), megabytes: 200 });
  scope.after(disk.remove);
  const server = await startPostgres(scope, ['max_wal_size=32MB', 'min_wal_size=32MB'], disk.path);
  if (server === undefined) return t.skip('PostgreSQL is not installed');
  const store = await openStore(server.url);
  scope.after(store.close);
  const acknowledged: string[] = [];
  const put = async (): Promise<void> => {
    const key = `key-${String(acknowledged.length).padStart(6, '0')}`;
    await store.write((tx) => tx.insertInto('meta').values({ key, value: FILLER }).execute());
    acknowledged.push(key);
  };
  await put();

  disk.fill();
  const isRefused = async (): Promise<boolean> =>
    put().then(
      () => false,
      async (error: unknown) => {
        const { message } = await assertRejectsCode(Promise.reject(error), 'storage_failed');
        t.diagnostic(message);
        return true;
      },
    );
  await until(isRefused, { what: 'the refusal', deadlineMs: 60_000 });
  assert.equal(store.isFailing(), true);
  disk.free();
  await server.start(); // without room for its log it ends by itself

  await until(
    () =>
      put().then(
        () => true,
        () => false,
      ),
    { what: 'it takes writes again', deadlineMs: 60_000 },
  );
  assert.equal(store.isFailing(), false);
  const stored = await keysOf(store);
  assert.deepEqual(
    acknowledged.filter((key) => !stored.includes(key)),
    [],
  );
});

async function keysOf({ read }: Store): Promise<string[]> {
  const rows = await read.selectFrom('meta').select('key').orderBy('key').execute();
  return rows.map(({ key }) => key);
}
