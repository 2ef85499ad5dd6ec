import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** Other systems that the controller acts in for its callers, with sealed credentials, and what they answered. */
export const INTEGRATIONS: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const STATEMENTS = [
  `create table integrations (
    id text primary key, org text not null, name text not null, adapter text not null, base_url text not null,
    provider text not null, settings text not null, sealed text not null, status text not null,
    created_at bigint not null, created_by text not null)`,
  `create unique index integrations_by_name on integrations (org, name)`,
  `create table integration_results (
    invocation_id text primary key, result text not null, sha256 text not null, truncated integer not null)`,
  `alter table invocations add column integration text`,
  `alter table invocations add column integration_id text`,
  `alter table invocations add column error_code text`,
  `create index invocations_under_way on invocations (org, status) where integration is not null and completed_at is null`,
  `create index invocations_by_integration on invocations (integration_id) where integration_id is not null`,
];
