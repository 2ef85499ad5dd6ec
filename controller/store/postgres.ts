import { sql } from 'kysely';
import { MusterError } from '../../protocol/errors.js';
import { useByteOrder } from './collation.js';
import type { Database, Queries } from './database.js';
import { migrate } from './migrations/list.js';
import { connectPostgres } from './postgres-connections.js';
import { lockWriting } from './write-lock.js';

/** Long enough to wait for a transaction of a process that froze in its middle. */
const STATEMENT_MS = 15_000;
const READERS = 8;

/**
 * Opens the database of this URL and brings it to this release's shape; several controllers may do so at once. A server
 * that would lose what it has acknowledged is refused. `onDoubt` is told of a commit whose answer was lost.
 * @throws {MusterError} storage_failed
 */
export async function openPostgres(url: string, onDoubt?: () => void): Promise<Database> {
  await prepare(url);
  const read = connectPostgres(url, { connections: READERS, statementMs: STATEMENT_MS });
  const forWriting = connectPostgres(url, { connections: 1, statementMs: STATEMENT_MS, onDoubt });
  return {
    read,
    transact: (work) =>
      forWriting.transaction().execute(async (tx) => {
        await lockWriting(tx);
        await work(tx);
      }),
    async close() {
      await read.destroy();
      await forWriting.destroy();
    },
  };
}

async function prepare(url: string): Promise<void> {
  const queries = connectPostgres(url, { connections: 1, statementMs: 0 });
  try {
    await refuseUnsafe(queries);
    await migrate(queries);
    await useByteOrder(queries);
  } finally {
    await queries.destroy();
  }
}

/** @throws {MusterError} storage_failed */
async function refuseUnsafe(queries: Queries): Promise<void> {
  const { rows } = await sql<{ fsync: string; encoding: string }>`
    select current_setting('fsync') as fsync, current_setting('server_encoding') as encoding`.execute(queries);
  const { fsync, encoding } = rows[0] ?? {};
  if (fsync !== 'on') {
    throw new MusterError('storage_failed', `PostgreSQL runs with fsync = ${fsync}: a power cut would lose commits`);
  }
  if (encoding !== 'UTF8') {
    throw new MusterError('storage_failed', `The database has the encoding ${encoding}, not UTF8`);
  }
}
