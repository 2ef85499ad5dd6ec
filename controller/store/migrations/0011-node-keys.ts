import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** Every key that a node has had: a removed node may come back under another, and what the old one signed still holds. */
export const NODE_KEYS: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const STATEMENTS = [
  `create table node_keys (
    kid text primary key, node text not null references nodes (node), org text not null, public_jwk text not null,
    enrolled_at bigint not null, revoked_at bigint)`,
  `insert into node_keys (kid, node, org, public_jwk, enrolled_at, revoked_at)
    select kid, node, org, public_jwk, enrolled_at, revoked_at from nodes`,
  `create index node_keys_revoked on node_keys (org, revoked_at) where revoked_at is not null`,
];
