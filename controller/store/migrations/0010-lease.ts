import { type Kysely, type Migration, PostgresAdapter, sql } from 'kysely';

/** Which of several controllers leads; on PostgreSQL also room for the whole numbers that SQLite takes by itself. */
export const LEASE: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const isPostgres = db.getExecutor().adapter instanceof PostgresAdapter;
    for (const statement of isPostgres ? [...STATEMENTS, ...WIDER] : STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const STATEMENTS = [
  `create table lease (
    id integer primary key, fence bigint not null, holder text not null, address text not null,
    session text not null, expires_at bigint not null)`,
  `insert into lease (id, fence, holder, address, session, expires_at) values (1, 0, '', '', '', 0)`,
];

const WIDER = [
  `alter table audit alter column seq type bigint`,
  `alter table nodes alter column connection type bigint`,
  `alter table results alter column chunks type bigint`,
];
