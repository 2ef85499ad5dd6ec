import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** Nodes that have no connection to the broker: they fetch their work over HTTP and report with a token. */
export const POLLING: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const STATEMENTS = [
  `alter table nodes add column transport text not null default 'mqtt'`,
  `alter table executions add column handed_as text`,
  `alter table results add column evidence text not null default 'signature'`,
  `create table node_tokens (
    id text primary key, org text not null, node text not null, secret_sha256 text not null,
    created_at bigint not null, created_by text not null)`,
  `create index executions_open_by_node on executions (node, status) where open = 1`,
  `create index node_tokens_by_node on node_tokens (node)`,
  `create table action_ids (
    action_id text primary key, org text not null, node text not null, invocation_id text not null unique)`,
];
