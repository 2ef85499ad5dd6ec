import { sql } from 'kysely';
import type { Queries } from './database.js';

/** The number of the advisory lock that every transaction of ours holds: "muster", as octets. */
export const WRITE_LOCK = 0x6d7573746572;

/**
 * Waits until no other controller writes, so that a transaction sees all that was committed before it, as under SQLite's
 * `BEGIN IMMEDIATE`: the audit chain, the idempotency keys and every check before a change rely on it. The commit waits
 * for the disk, whatever the server, the database or the role is set to.
 */
export async function lockWriting(tx: Queries): Promise<void> {
  await sql`select pg_advisory_xact_lock(${sql.lit(WRITE_LOCK)}), case current_setting('synchronous_commit')
    when 'off' then set_config('synchronous_commit', 'on', true) end`.execute(tx);
}
