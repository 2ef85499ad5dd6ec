import { createHash } from 'node:crypto';
import { join } from 'node:path';
import Sqlite from 'libsql';
import { z } from 'zod';
import { createCommitQueue } from '../../../agent/journal/commit-queue.js';
import type { CandidateStore } from './store.js';

const Row = z.object({ id: z.string(), state: z.enum(['starting', 'finished']) });
type Change = (database: Sqlite.Database) => void;

/** SQLite in WAL mode with a sync at each commit; what arrives together shares a transaction, as in the journal. */
export async function openLibsqlStore(directory: string): Promise<CandidateStore> {
  const database = new Sqlite(join(directory, 'journal.db'));
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  database.exec(
    'CREATE TABLE IF NOT EXISTS executions (id TEXT PRIMARY KEY, sha256 TEXT, expires_ms INTEGER, state TEXT, ' +
      'request BLOB, result BLOB, receipted INTEGER) WITHOUT ROWID',
  );
  const insert = database.prepare("INSERT INTO executions VALUES (?, ?, ?, 'starting', ?, NULL, 0)");
  const finish = database.prepare("UPDATE executions SET state = 'finished', request = NULL, result = ? WHERE id = ?");
  const receipt = database.prepare('UPDATE executions SET receipted = 1 WHERE id = ?');
  const queue = createCommitQueue<Change>(async (changes) => {
    database.exec('BEGIN IMMEDIATE');
    try {
      for (const change of changes) change(database);
      database.exec('COMMIT');
    } catch (error) {
      if (database.inTransaction) database.exec('ROLLBACK');
      throw error;
    }
  });
  return {
    start(id, request) {
      const sha256 = createHash('sha256').update(request).digest('hex');
      return queue.add(() => insert.run(id, sha256, Date.now(), request));
    },
    finish: (id, result) => queue.add(() => finish.run(result, id)),
    receipt: (ids) =>
      queue.add(() => {
        for (const id of ids) receipt.run(id);
      }),
    async states() {
      const rows: unknown[] = database.prepare('SELECT id, state FROM executions').all();
      return new Map(
        z
          .array(Row)
          .parse(rows)
          .map(({ id, state }) => [id, state]),
      );
    },
    async close() {
      await queue.flush();
      database.close();
    },
  };
}
