import { closeSync, openSync } from 'node:fs';
import { Kysely, type SqliteDatabase, SqliteDialect, type SqliteStatement } from 'kysely';
import Sqlite from 'libsql';
import { isMusterError, MusterError } from '../../protocol/errors.js';
import type { Database, Queries } from './database.js';
import { migrate } from './migrations/list.js';
import type { Tables } from './schema.js';

/** One connection of its own to the database file. */
export type Connection = Readonly<{ queries: Queries; exec: (sql: string) => void; close: () => Promise<void> }>;

/**
 * Characters of the prepared statements kept per connection, and of one that is kept. A text is a constant or one of a
 * few batch sizes; its program takes some fifty times as much (2026-11), outside the heap that V8 sees.
 */
const MAX_KEPT = 400_000;
const MAX_TEXT = 20_000;
const BUSY_TIMEOUT_MS = 5_000;

/**
 * Opens or makes the database in this file and brings it to this release's shape.
 * @throws {MusterError} storage_failed, store_too_new
 */
export async function openSqlite(file: string): Promise<Database> {
  const forWriting = openConnection(file);
  try {
    await transact(forWriting, migrate); // Kysely by itself would leave half of one behind a power cut
  } catch (error) {
    await forWriting.close();
    throw error;
  }
  const forReading = openConnection(file);
  return {
    read: forReading.queries,
    transact: (work) => transact(forWriting, work),
    async close() {
      await forReading.close();
      await forWriting.close();
    },
  };
}

/**
 * One transaction on this connection. @throws {MusterError} storage_failed; and whatever `work` throws
 */
export async function transact({ queries, exec }: Connection, work: (tx: Queries) => Promise<void>): Promise<void> {
  try {
    exec('BEGIN IMMEDIATE');
    await work(queries);
    exec('COMMIT');
  } catch (error) {
    rollback(exec);
    throw toStorageFailure(error);
  }
}

function rollback(exec: Connection['exec']): void {
  try {
    exec('ROLLBACK');
  } catch {
    // SQLite has already rolled back (disk full, I/O error) or the transaction never began.
  }
}

/** What the disk does to us is foreseen; what a query of ours got wrong is a bug and stays as it is. */
function toStorageFailure(error: unknown): unknown {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  if (typeof code !== 'string' || !/^SQLITE_(FULL|IOERR|BUSY|READONLY|CANTOPEN|CORRUPT|NOTADB)/.test(code))
    return error;
  return new MusterError('storage_failed', `The database cannot be read or written (${code})`, { cause: error });
}

/**
 * Opens the file in WAL mode with a sync at each commit, and reads both settings back: with the library's own default
 * a power cut loses acknowledged commits.
 * @throws {MusterError} storage_failed
 */
export function openConnection(file: string): Connection {
  const sqlite = open(file);
  try {
    sqlite.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    sqlite.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON');
    expectPragma(sqlite, 'journal_mode', 'wal');
    expectPragma(sqlite, 'synchronous', 2);
    expectPragma(sqlite, 'foreign_keys', 1);
  } catch (error) {
    sqlite.close();
    throw isMusterError(error) ? error : cannotOpen(file, error);
  }
  const queries: Queries = new Kysely<Tables>({ dialect: new SqliteDialect({ database: withCache(sqlite) }) });
  return {
    queries,
    exec: (sql) => {
      sqlite.exec(sql);
    },
    async close() {
      await queries.destroy();
      if (sqlite.open) sqlite.close();
    },
  };
}

function open(file: string): Sqlite.Database {
  try {
    closeSync(openSync(file, 'a', 0o600)); // SQLite would make it for everybody to read; its log files take the mode over
    return new Sqlite(file);
  } catch (cause) {
    throw cannotOpen(file, cause);
  }
}

function cannotOpen(file: string, cause: unknown): MusterError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new MusterError('storage_failed', `The database ${file} cannot be opened: ${why}`, { cause });
}

function expectPragma(sqlite: Sqlite.Database, name: string, wanted: string | number): void {
  const row: unknown = sqlite.prepare(`PRAGMA ${name}`).get([]);
  const value: unknown = typeof row === 'object' && row !== null ? Reflect.get(row, name) : undefined;
  if (value !== wanted)
    throw new MusterError('storage_failed', `The database runs with ${name} = ${String(value)}, not ${wanted}`);
}

/** Preparing costs 18 µs a query (2026-11): the least recently used statements beyond the cap are let go. */
function withCache(sqlite: Sqlite.Database): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();
  let kept = 0;
  return {
    close: () => {
      statements.clear();
      sqlite.close();
    },
    prepare(sql) {
      const known = statements.get(sql);
      if (known !== undefined) {
        statements.delete(sql);
        statements.set(sql, known);
        return known;
      }
      const statement = withKnownKind(orStorageFailure(() => sqlite.prepare(sql)));
      if (sql.length > MAX_TEXT) return statement;
      statements.set(sql, statement);
      kept += sql.length;
      for (const oldest of statements.keys()) {
        if (kept <= MAX_KEPT) break;
        statements.delete(oldest);
        kept -= oldest.length;
      }
      return statement;
    },
  };
}

function withKnownKind(statement: Sqlite.Statement<unknown[]>): SqliteStatement {
  return {
    reader: statement.reader,
    all: (parameters) => orStorageFailure(() => statement.all([...parameters])),
    run: (parameters) => orStorageFailure(() => statement.run([...parameters])),
    iterate: (parameters) => orStorageFailure(() => statement.iterate([...parameters])),
  };
}

/** @throws {MusterError} storage_failed; and whatever the query got wrong */
function orStorageFailure<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw toStorageFailure(error);
  }
}
