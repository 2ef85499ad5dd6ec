import { sql } from 'kysely';
import { MusterError } from '../../protocol/errors.js';
import { useByteOrder } from './collation.js';
import type { Database, Queries } from './database.js';
import { IS_LED } from './lease.js';
import { isMigrated, migrate } from './migrations/list.js';
import { checkUrl, connectPostgres } from './postgres-connections.js';
import { toStartFailure } from './postgres-failures.js';
import { lockWriting } from './write-lock.js';

/** Long enough to wait for a transaction of a process that froze in its middle. */
const STATEMENT_MS = 15_000;
const READERS = 8;

/**
 * Opens the database of this URL and brings it to this release's shape; several controllers may do so at once. A server
 * that would lose what it has acknowledged is refused. `onDoubt` is told of a commit whose answer was lost.
 * @throws {MusterError} storage_failed, config_invalid (the URL, or who it lets in)
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
  checkUrl(url);
  const queries = connectPostgres(url, { connections: 1, statementMs: 0 });
  try {
    await refuseUnsafe(queries);
    if (!(await isMigrated(queries))) await refuseWhileLed(queries);
    await migrate(queries);
    await useByteOrder(queries);
  } catch (error) {
    throw toStartFailure(error);
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

/** The tables do not change under a controller of another release. @throws {MusterError} storage_failed */
async function refuseWhileLed(queries: Queries): Promise<void> {
  const tables = await queries.introspection.getTables();
  if (!tables.some(({ name }) => name === 'lease')) return;
  const { rows } = await sql.raw<{ is_led: boolean }>(IS_LED).execute(queries);
  if (rows[0]?.is_led !== true) return;
  throw new MusterError(
    'storage_failed',
    'Controllers of another release run on this database: stop all of them, then start this one',
  );
}
