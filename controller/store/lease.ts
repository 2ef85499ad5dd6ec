import pg from 'pg';
import { clientConfig } from './postgres-connections.js';
import { fail } from './postgres-failures.js';
import { WRITE_LOCK } from './write-lock.js';

/** Who leads: this controller in a term of this number, or another one at this address. */
export type Claim =
  | Readonly<{ kind: 'leader'; fence: number }>
  | Readonly<{ kind: 'standby'; address: string | undefined }>;

/** The right to lead, of which there is one in a database. */
export type Lease = Readonly<{
  /**
   * Renews it when it is ours, and takes it when nobody holds it; with `lookOnly` it says who holds it and takes nothing.
   * @throws {MusterError} storage_failed
   */
  claim: (options?: Readonly<{ lookOnly?: boolean }>) => Promise<Claim>;
  /** The next claim begins a new term. */
  forget: () => void;
  /** Gives it back, so that another controller takes it at once. */
  release: () => Promise<void>;
  /** Gives it back, so that another controller takes it at once, and closes the connection. */
  stop: () => Promise<void>;
}>;

/** A holder that is not heard for so long has lost it. */
export const LEASE_MS = 8_000;

const STATEMENT_MS = 5_000;

const NOW = `(extract(epoch from clock_timestamp()) * 1000)::bigint`;
const SESSION_NAME = `pid || ' ' || extract(epoch from backend_start)`;
const SESSION = `(select ${SESSION_NAME} from pg_stat_activity where pid = pg_backend_pid())`;
/** The time has not run out, and the connection of the holder lives: a process that was killed is followed at once. */
const IS_HELD = `(expires_at > ${NOW}
  and exists (select from pg_stat_activity where ${SESSION_NAME} = lease.session))`;

const RENEW = `update lease set expires_at = ${NOW} + ${LEASE_MS} where holder = $1 and fence = $2`;
/** Whether any controller leads. */
export const IS_LED = `select ${IS_HELD} as is_led from lease`;
const LOOK = `select address, ${IS_HELD} and holder <> $1 as is_taken from lease`;
const TAKE = `update lease set fence = fence + 1, holder = $1, address = $2, session = ${SESSION},
  expires_at = ${NOW} + ${LEASE_MS} where not (${IS_HELD} and holder <> $1) returning fence`;
const RELEASE = `update lease set expires_at = 0 where holder = $1 and fence = $2`;

/**
 * The lease as one controller sees it. `holder` names the process, `address` is where other controllers reach it;
 * `onLost` is told when the connection breaks, with which a term ends.
 */
export function createLease(options: { url: string; holder: string; address: string; onLost: () => void }): Lease {
  const { url, holder, address, onLost } = options;
  let client: pg.Client | undefined;
  let fence: number | undefined;

  async function connect(): Promise<pg.Client> {
    if (client !== undefined) return client;
    const made = new pg.Client(clientConfig(url, STATEMENT_MS));
    made.on('error', () => lose(made));
    made.on('end', () => lose(made));
    await made.connect();
    client = made;
    return made;
  }

  function lose(session: pg.Client): void {
    if (client !== session) return;
    client = undefined;
    fence = undefined;
    onLost();
  }

  /** Ends a connection that does not answer. */
  function drop(session: pg.Client): void {
    lose(session);
    session.end().catch(() => undefined);
  }

  /** Under the lock of all writers: what the term before has begun to write is done or refused. */
  async function take(session: pg.Client): Promise<number | undefined> {
    await session.query('begin');
    try {
      await session.query(`select pg_advisory_xact_lock(${WRITE_LOCK})`);
      const { rows } = await session.query(TAKE, [holder, address]);
      await session.query('commit');
      return rows[0]?.fence;
    } catch (error) {
      await session.query('rollback').catch(() => drop(session));
      throw error;
    }
  }

  async function claim(lookOnly: boolean): Promise<Claim> {
    const session = await connect();
    const own = fence;
    if (own !== undefined) {
      const { rowCount } = await session.query(RENEW, [holder, own]);
      const isForgotten = fence !== own; // while the answer was on its way
      if (rowCount === 1 && !isForgotten) return { kind: 'leader', fence: own };
      fence = undefined;
    }
    const { rows } = await session.query(LOOK, [holder]);
    if (rows[0]?.is_taken === true) return { kind: 'standby', address: rows[0].address };
    if (lookOnly) return { kind: 'standby', address: undefined };
    fence = await take(session);
    return fence === undefined ? { kind: 'standby', address: undefined } : { kind: 'leader', fence };
  }

  async function release(): Promise<void> {
    const own = fence;
    fence = undefined;
    if (own !== undefined) await client?.query(RELEASE, [holder, own]).catch(() => undefined);
  }

  return {
    release,
    claim: ({ lookOnly = false } = {}) =>
      claim(lookOnly).catch((error: unknown) => {
        if (client !== undefined && !(error instanceof pg.DatabaseError)) drop(client);
        return fail(error);
      }),
    forget() {
      fence = undefined;
    },
    async stop() {
      await release();
      const session = client;
      client = undefined;
      await session?.end().catch(() => undefined);
    },
  };
}
