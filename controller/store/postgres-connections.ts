import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type TransactionSettings,
} from 'kysely';
import pg from 'pg';
import { MusterError } from '../../protocol/errors.js';
import type { Queries } from './database.js';
import { fail } from './postgres-failures.js';
import type { Tables } from './schema.js';

/** How many connections at most, and how long a statement may take; 0 is without a limit. */
export type PostgresLimits = Readonly<{
  connections: number;
  statementMs: number;
  /** A commit failed, and nobody knows whether it happened. */
  onDoubt?: (() => void) | undefined;
}>;

/** A connection of the pool while somebody has it. */
type Held = DatabaseConnection & Readonly<{ release: () => void }>;

const CONNECT_MS = 5_000;
/**
 * A transaction that its process does not continue, because that one is frozen, ends and lets others write: no later than
 * the lease of that process does.
 */
const IDLE_IN_TRANSACTION_MS = 8_000;
/** The server ends a statement by itself; this is for a server that is gone without a word. */
const QUERY_MARGIN_MS = 3_000;
const INT8_OID = 20;

/** Queries over a pool of connections, which are made when they are needed and again when they broke. */
export function connectPostgres(url: string, limits: PostgresLimits): Queries {
  const dialect: Dialect = {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => createDriver(url, limits),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  };
  return new Kysely<Tables>({ dialect });
}

/**
 * The URL can be read, and so can the files that it names. What is wrong is told without the URL, which holds a password.
 * @throws {MusterError} config_invalid
 */
export function checkUrl(url: string): void {
  try {
    new pg.Client(clientConfig(url, 0));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MusterError('config_invalid', `controller.store_url cannot be used: ${why}`);
  }
}

/** What every connection of ours is opened with. */
export function clientConfig(url: string, statementMs: number): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: 'muster',
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: statementMs,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    ...(statementMs === 0 ? {} : { query_timeout: statementMs + QUERY_MARGIN_MS }),
    // Counts and times are below 2^53.
    types: { getTypeParser: (oid, format) => (oid === INT8_OID ? Number : pg.types.getTypeParser(oid, format)) },
  };
}

/** Kysely's own driver hands a connection back without saying that it broke, and its failures are the library's. */
function createDriver(url: string, { connections, statementMs, onDoubt }: PostgresLimits): Driver {
  const pool = new pg.Pool({ ...clientConfig(url, statementMs), max: connections });
  pool.on('error', () => {
    // An idle connection broke and was dropped; the next query says whether the server is gone.
  });
  const held = new WeakMap<DatabaseConnection, Held>();
  const run = async (connection: DatabaseConnection, text: string): Promise<void> => {
    await connection.executeQuery(CompiledQuery.raw(text));
  };
  return {
    init: async () => undefined,
    async acquireConnection() {
      const connection = hold(await pool.connect().catch(fail));
      held.set(connection, connection);
      return connection;
    },
    beginTransaction: (connection: DatabaseConnection, { isolationLevel = 'read committed' }: TransactionSettings) =>
      run(connection, `start transaction isolation level ${isolationLevel}`),
    async commitTransaction(connection) {
      try {
        await run(connection, 'commit');
      } catch (error) {
        onDoubt?.();
        throw error;
      }
    },
    rollbackTransaction: (connection) => run(connection, 'rollback'),
    releaseConnection: async (connection) => held.get(connection)?.release(),
    destroy: () => pool.end(),
  };
}

function hold(client: pg.PoolClient): Held {
  let isBroken = false;
  const onError = (): void => {
    isBroken = true; // the query under way fails as well
  };
  client.on('error', onError);
  return {
    async executeQuery({ sql, parameters }) {
      try {
        const { command, rowCount, rows } = await client.query(sql, parameters.map(toValue));
        const isChange = ['INSERT', 'UPDATE', 'DELETE'].includes(command);
        return { rows, ...(isChange ? { numAffectedRows: BigInt(rowCount ?? 0) } : {}) };
      } catch (error) {
        isBroken ||= !(error instanceof pg.DatabaseError);
        return fail(error);
      }
    },
    // biome-ignore lint/correctness/useYield: nothing of ours streams
    async *streamQuery() {
      throw new Error('queries are not streamed');
    },
    release() {
      client.off('error', onError);
      client.release(isBroken);
    },
  };
}

/** PostgreSQL's text has no NUL, and what nodes say may: it becomes the character that stands for what cannot be read. */
function toValue(value: unknown): unknown {
  return typeof value === 'string' && value.includes('\0') ? value.replaceAll('\0', '\uFFFD') : value;
}
