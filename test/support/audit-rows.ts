import type { Store } from '../../controller/store/store.js';

/** The audit rows of one event, oldest first, with their details parsed. */
export async function auditRows(
  { read }: Store,
  event: string,
): Promise<{ actor: string; subject: string; details: unknown }[]> {
  const rows = await read.selectFrom('audit').selectAll().where('event', '=', event).orderBy('seq').execute();
  return rows.map(({ actor, subject, details }) => ({ actor, subject, details: JSON.parse(details) }));
}
