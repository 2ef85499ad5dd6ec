import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Migrator, sql } from 'kysely';
import { MIGRATIONS } from '../../../controller/store/migrations/list.js';
import { outcomeColumns } from '../../../controller/store/outcome-columns.js';
import { openConnection } from '../../../controller/store/sqlite.js';
import { DATABASE_FILE, openStore } from '../../../controller/store/store.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const COUNT = 450; // more than two pages

test('results of an earlier release can be grouped, too', async (t) => {
  const directory = temporaryDirectory(t);
  const old = openConnection(join(directory, DATABASE_FILE));
  const before = Object.entries(MIGRATIONS).filter(([name]) => name < '0009-result-groups');
  const provider = { getMigrations: async () => Object.fromEntries(before) };
  assert.equal((await new Migrator({ db: old.queries, provider }).migrateToLatest()).error, undefined);
  for (let index = 0; index < COUNT; index += 1) {
    const jws = `.${Buffer.from(JSON.stringify(resultOf(index))).toString('base64url')}.`;
    await sql`insert into results (execution_id, node, status, payload_sha256, jws, chunks, received_at)
      values ('e', ${`n${index}`}, 'error', 'x', ${jws}, 0, 0)`.execute(old.queries);
  }
  await old.close();

  const store = await openStore(directory);
  t.after(store.close);
  const rows = await store.read.selectFrom('results').selectAll().execute();

  assert.equal(rows.length, COUNT);
  for (const { node, exit_code, error_code, output_sha256 } of rows) {
    const expected = outcomeColumns(resultOf(Number(node.slice(1))));
    assert.deepEqual({ exit_code, error_code, output_sha256 }, expected);
  }
});

function resultOf(index: number) {
  const hashes = { stdout_sha256: String(index), stderr_sha256: 'b', stdout_truncated: false, stderr_truncated: false };
  return { exit_code: index % 256, error_code: index % 2 === 0 ? 'internal' : undefined, ...hashes };
}
