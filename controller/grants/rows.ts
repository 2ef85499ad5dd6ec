import type { Selectable } from 'kysely';
import { sha256Hex } from '../../protocol/envelope.js';
import { type Selector, Selector as SelectorSchema } from '../../protocol/selectors.js';
import { toTime } from '../../runtime/clock.js';
import type { GRANT_STATES, GrantView } from '../http/grant-schemas.js';
import { newestMs } from '../invocations/overdue.js';
import type { Queries } from '../store/database.js';
import type { Tables } from '../store/schema.js';
import { readActions } from './definitions.js';

export type GrantRow = Selectable<Tables['grants']>;

/** Of a grant that is for every integration. */
export const ANY_INTEGRATION = '*';

/** Where records name who approved; no user may be called so. */
const APPROVER_PREFIX = 'grant:';

/** By what name a grant approves. */
export function approverIdOf(grant: string): string {
  return `${APPROVER_PREFIX}${grant}`;
}

/** The grant that approved; undefined when it was a person or the policy, or nobody. */
export function grantOf(approver: string | null): string | undefined {
  return approver?.startsWith(APPROVER_PREFIX) ? approver.slice(APPROVER_PREFIX.length) : undefined;
}

/** The nodes of a grant; undefined when it is for an integration. */
export function readTarget({ target }: Pick<GrantRow, 'target'>): Selector | undefined {
  return target === null ? undefined : SelectorSchema.parse(JSON.parse(target));
}

/** What the audit trail knows a grant by: everything that says what it approves, and with whose word. */
export function grantDigest(row: GrantRow): string {
  const { sandbox, target, integration, actions, max_calls, expires_at, created_at, created_by, role, holders } = row;
  const { definitions, token } = row;
  const coverage = [sandbox, target, integration, actions, max_calls, expires_at];
  // The first grants knew neither, and their rows of the trail do not either.
  const origins = definitions === null && token === null ? [] : [definitions, token];
  return sha256Hex(JSON.stringify([...coverage, created_at, created_by, role, holders, ...origins]));
}

/** One grant of an org; undefined when there is none such. */
export function findGrant(queries: Queries, org: string, id: string): Promise<GrantRow | undefined> {
  return queries.selectFrom('grants').selectAll().where('org', '=', org).where('id', '=', id).executeTakeFirst();
}

/**
 * Grants that may still approve something. One that was made later than now was made before the clock was set back: how
 * old it is nobody knows, and it counts no more.
 */
export function selectActive(queries: Queries, { org, nowMs }: { org: string; nowMs: number }) {
  return queries
    .selectFrom('grants')
    .where('org', '=', org)
    .where('revoked_at', 'is', null)
    .where('expires_at', '>', nowMs)
    .where('created_at', '<=', newestMs(nowMs))
    .where(({ eb, or }) => or([eb('max_calls', 'is', null), eb('used', '<', eb.ref('max_calls'))]));
}

/** How many grants of an org may still approve something. */
export async function countActive(queries: Queries, at: { org: string; nowMs: number }): Promise<number> {
  const { n } = await selectActive(queries, at)
    .select(({ fn }) => fn.countAll<number>().as('n'))
    .executeTakeFirstOrThrow();
  return Number(n);
}

function stateOf(row: GrantRow, nowMs: number): (typeof GRANT_STATES)[number] {
  if (row.revoked_at !== null) return 'revoked';
  if (row.max_calls !== null && row.used >= row.max_calls) return 'used_up';
  return row.expires_at <= nowMs || row.created_at > newestMs(nowMs) ? 'expired' : 'active';
}

/** With the name that its integration has now; null for nodes, for every integration, and when it was removed. */
export type NamedGrant = GrantRow & Readonly<{ integration_name: string | null }>;

/** A grant as the API shows it. */
export function toGrantView(row: NamedGrant, nowMs: number): GrantView {
  return {
    id: row.id,
    state: stateOf(row, nowMs),
    scope: row.sandbox === null ? 'org' : 'session',
    sandbox: row.sandbox,
    target: readTarget(row) ?? {
      integration: row.integration === ANY_INTEGRATION ? ANY_INTEGRATION : row.integration_name,
    },
    actions: [...readActions(row)],
    max_calls: row.max_calls,
    used: row.used,
    last_used_at: timeOrNull(row.last_used_at),
    expires_at: toTime(row.expires_at),
    invocation: row.invocation_id,
    created_at: toTime(row.created_at),
    created_by: row.created_by,
    revoked_at: timeOrNull(row.revoked_at),
    revoked_by: row.revoked_by,
  };
}

function timeOrNull(ms: number | null): string | null {
  return ms === null ? null : toTime(ms);
}
