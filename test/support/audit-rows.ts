import { sql } from 'kysely';
import type { Store } from '../../controller/store/store.js';
import { POSTGRES_VARIABLE } from './store-place.js';

/** The audit rows of one event, oldest first, with their details parsed. */
export async function auditRows(
  { read }: Store,
  event: string,
): Promise<{ actor: string; subject: string; details: unknown }[]> {
  const rows = await read.selectFrom('audit').selectAll().where('event', '=', event).orderBy('seq').execute();
  return rows.map(({ actor, subject, details }) => ({ actor, subject, details: JSON.parse(details) }));
}

/** From now on the database refuses every row of the audit trail, until `allowRows`. */
export async function refuseRows({ write }: Store): Promise<void> {
  await write(async (tx) => {
    if (process.env[POSTGRES_VARIABLE] === undefined) {
      await sql`create trigger no_rows before insert on audit begin select raise(abort, 'no audit row'); end`.execute(
        tx,
      );
      return;
    }
    await sql`create or replace function refuse_row() returns trigger language plpgsql
      as $$ begin raise exception 'no audit row'; end $$`.execute(tx);
    await sql`create trigger no_rows before insert on audit for each row execute function refuse_row()`.execute(tx);
  });
}

export async function allowRows({ write }: Store): Promise<void> {
  const on = process.env[POSTGRES_VARIABLE] === undefined ? sql`` : sql` on audit`;
  await write((tx) => sql`drop trigger no_rows${on}`.execute(tx));
}
