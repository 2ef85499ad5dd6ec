import pg from 'pg';
import { isMusterError, MusterError } from '../../protocol/errors.js';
import { errnoOf } from '../../runtime/errno.js';

/** SQLSTATE classes of queries that are wrong in themselves: bugs of ours, and no state of the server. */
const BUG_CLASSES = /^(0A|21|22|23|2B|34|42|44)/;

/** What a person has to mend in the settings or the rights, by SQLSTATE: trying again does not help. */
const SETTING_FAULTS: ReadonlyMap<string, string> = new Map([
  ['28000', 'PostgreSQL does not let this user in from here'],
  ['28P01', 'PostgreSQL refuses the user or the password'],
  ['3D000', 'PostgreSQL has no database of this name'],
  ['42501', 'The user may not do this in the database: make it the owner of it'],
]);

/** What passes or is mended elsewhere, by SQLSTATE. */
const STATES: ReadonlyMap<string, string> = new Map([
  ['25006', 'The database is read-only: is it a replica?'],
  ['53100', 'The disk of PostgreSQL is full'],
  ['53200', 'PostgreSQL is out of memory'],
  ['53300', 'PostgreSQL takes no more connections'],
  ['57014', 'PostgreSQL took too long'],
  ['57P01', 'PostgreSQL ended the connection'],
  ['57P02', 'PostgreSQL ended the connection'],
  ['57P03', 'PostgreSQL is starting or stopping'],
]);

/**
 * What becomes of the server or the way to it is foreseen; what a query of ours got wrong stays.
 * @throws {MusterError} storage_failed
 */
export function fail(error: unknown): never {
  if (isMusterError(error)) throw error;
  const state = error instanceof pg.DatabaseError ? error.code : undefined;
  const known = SETTING_FAULTS.get(state ?? '') ?? STATES.get(state ?? '');
  if (state !== undefined && known === undefined && BUG_CLASSES.test(state)) throw error;
  const why = state ?? errnoOf(error) ?? (error instanceof Error ? error.message : String(error));
  const what = known ?? (state === undefined ? 'PostgreSQL does not answer' : 'PostgreSQL did not do it');
  throw new MusterError('storage_failed', `${what} (${why})`, { cause: error });
}

/** A failure to open the database, as a start that fails tells it: what the settings have to do with it is their fault. */
export function toStartFailure(error: unknown): unknown {
  if (!isMusterError(error, 'storage_failed')) return error;
  const { cause } = error;
  if (!(cause instanceof pg.DatabaseError)) return error;
  if (!SETTING_FAULTS.has(cause.code ?? '')) return error;
  return new MusterError('config_invalid', `controller.store_url: ${error.message}`, { cause });
}
