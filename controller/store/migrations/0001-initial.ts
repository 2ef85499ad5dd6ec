import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** The first tables. */
export const INITIAL: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const STATEMENTS = [
  `create table meta (key text primary key, value text not null)`,
  `create table api_tokens (
    id text primary key, org text not null, principal text not null, role text not null,
    secret_sha256 text not null, created_at bigint not null)`,
  `create table enrollment_tokens (
    id text primary key, org text not null, secret_sha256 text not null, uses_left integer not null,
    expires_at bigint not null, groups text not null, labels text not null, node_id_pattern text,
    created_at bigint not null, created_by text not null)`,
  `create table nodes (
    node text primary key, org text not null, kid text not null unique, public_jwk text not null,
    token_id text not null, labels text not null, enrolled_at bigint not null, revoked_at bigint, agent_version text,
    boot_id text, process_id text, connection integer not null, started_at text, last_seen_at bigint,
    journal_epoch text, journal_seq bigint not null, welcome_seq bigint not null, keys_version bigint not null,
    former_processes text not null, password_expires_at bigint not null, password_groups text not null,
    capabilities_sha256 text, capabilities text)`,
  `create table node_groups (
    node text not null references nodes (node), "group" text not null, since bigint not null,
    primary key (node, "group"))`,
  `create table hook_pins (
    node text not null references nodes (node), hook text not null, checksum text not null, pinned_at bigint not null,
    primary key (node, hook))`,
  `create table invocations (
    id text primary key, org text not null, status text not null, action text not null, target text not null,
    parameters text not null, risk text not null, timeout text not null, reason text, stream integer not null,
    spread text, digest text not null, created_at bigint not null, created_by text not null, approved_by text,
    approved_at bigint, expires_at bigint not null, completed_at bigint, error text, total integer not null)`,
  `create table idempotency_keys (
    principal text not null, key text not null, body_sha256 text not null, invocation_id text not null,
    created_at bigint not null, primary key (principal, key))`,
  `create index idempotency_keys_by_age on idempotency_keys (created_at)`,
  `create table requests (
    execution_id text not null, sha256 text not null, payload text not null, issued_at bigint not null,
    primary key (execution_id, sha256))`,
  `create table executions (
    execution_id text not null, node text not null references nodes (node),
    invocation_id text not null references invocations (id), status text not null, open integer not null, reason text,
    provisional integer not null, unreachable integer not null, request_sha256 text, checksum text,
    expires_at bigint not null, timeout_ms bigint not null, sent_at bigint, accepted_at bigint, ended_at bigint,
    error_code text, primary key (execution_id, node))`,
  `create index executions_by_invocation on executions (invocation_id, node, status)`,
  `create index executions_open on executions (execution_id, node) where open = 1`,
  `create table results (
    execution_id text not null, node text not null, status text not null, payload_sha256 text not null,
    jws text not null, chunks integer not null, received_at bigint not null, primary key (execution_id, node))`,
  `create table outputs (
    execution_id text not null, node text not null, seq integer not null, stream text not null,
    "offset" bigint not null, data text not null, encoding text not null, last integer not null,
    primary key (execution_id, node, seq))`,
  `create table local_results (
    execution_id text not null, node text not null, action text not null, status text not null,
    payload_sha256 text not null, jws text not null, received_at bigint not null, primary key (execution_id, node))`,
  `create table audit (
    seq integer primary key, at bigint not null, org text not null, actor text not null, event text not null,
    subject text not null, details text not null, prev_hash text not null, hash text not null)`,
];
