import { sql } from 'kysely';
import type { Queries } from './database.js';
import { lockWriting } from './write-lock.js';

type Column = { table_name: string; column_name: string };

/**
 * Makes PostgreSQL compare the text of our tables by its octets, as SQLite does and as cursors and the order of lists
 * want it, whatever the language of the database is. Columns that a migration has added since are found by themselves.
 */
export async function useByteOrder(queries: Queries): Promise<void> {
  if ((await otherColumns(queries)).length === 0) return;
  await queries.transaction().execute(async (tx) => {
    await lockWriting(tx);
    for (const { table_name: table, column_name: column } of await otherColumns(tx)) {
      await sql`alter table ${sql.table(table)} alter column ${sql.ref(column)} type text collate "C"`.execute(tx);
    }
  });
}

async function otherColumns(queries: Queries): Promise<Column[]> {
  const { rows } = await sql<Column>`
    select c.table_name, c.column_name from information_schema.columns c
    join information_schema.tables t on t.table_schema = c.table_schema and t.table_name = c.table_name
    where c.table_schema = current_schema() and t.table_type = 'BASE TABLE' and c.data_type = 'text'
      and c.table_name not like 'kysely%' and c.collation_name is distinct from 'C'
    order by c.table_name, c.column_name`.execute(queries);
  return rows;
}
