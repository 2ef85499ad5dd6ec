import { uuidv7 } from 'uuidv7';
import { parseDuration } from '../../protocol/durations.js';
import { MusterError } from '../../protocol/errors.js';
import { type GrantWithApproval, MAX_GRANT_NODES } from '../http/grant-schemas.js';
import { InvocationTarget } from '../http/target-schemas.js';
import { peopleBehind, writeHolders } from '../identity/holders.js';
import { reaches } from '../identity/roles.js';
import { findToken } from '../identity/token-rows.js';
import type { Question } from '../policy/decide.js';
import { sandboxOf } from '../sandboxes/rows.js';
import type { Principal } from '../services.js';
import { appendAudit } from '../store/audit.js';
import type { Queries, Tx } from '../store/database.js';
import type { InvocationRow } from '../store/invocations.js';
import type { Refusal } from '../store/made-once.js';
import { tellGrant } from '../store/tell.js';
import { readActions, TOO_DIFFERENT, writeDefinitions } from './definitions.js';
import { countActive, type GrantRow, grantDigest } from './rows.js';

/** No grant is good for longer. */
export const MAX_LIFE_MS = 30 * 24 * 3_600_000;
/** Each ask that would wait is held against all of them. */
const MAX_ACTIVE = 500;

/** What a grant is for. */
export type Coverage = Pick<GrantRow, 'sandbox' | 'target' | 'integration' | 'actions' | 'definitions'>;

/** A grant of which it is not known yet what stands behind the name of its action. */
export type GrantBeside = Omit<GrantRow, 'definitions'>;

/**
 * All of a new grant but what it is for. `holders` are the people behind whoever makes it.
 * @throws {MusterError} forbidden, invalid_request
 */
export function newGrant(
  principal: Principal,
  terms: Readonly<{ max_calls: number | null; expires_in: string; invocation: string | null; nowMs: number }>,
): Omit<GrantRow, keyof Coverage> {
  const { id: created_by, org, role } = principal;
  if (!reaches(role, 'admin')) throw new MusterError('forbidden', 'Admins and owners make grants');
  const lifeMs = Math.ceil(parseDuration(terms.expires_in) ?? 0);
  if (lifeMs > MAX_LIFE_MS) throw new MusterError('invalid_request', 'expires_in may be 720h, 30 days, at most');
  const { max_calls, invocation: invocation_id, nowMs } = terms;
  return {
    ...{ id: uuidv7(), org, max_calls, used: 0, expires_at: nowMs + lifeMs, invocation_id },
    ...{ created_at: nowMs, created_by, role, holders: writeHolders(peopleBehind(principal)) },
    token: principal.token?.id ?? null,
    ...{ last_used_at: null, revoked_at: null, revoked_by: null },
  };
}

/**
 * The grant that is made with an approval: for more asks of the same action and target.
 * @throws {MusterError} forbidden; conflict: its integration is gone; invalid_request: a person asked, and the grant is for
 *   no sandbox; or it names too many nodes
 */
export function grantBeside(
  principal: Principal,
  row: InvocationRow,
  { grant: { scope, max_calls, expires_in }, nowMs }: Readonly<{ grant: GrantWithApproval; nowMs: number }>,
): GrantBeside {
  const sandbox = scope === 'org' ? null : (sandboxOf(row.created_by) ?? null);
  if (scope === 'session' && sandbox === null) {
    throw new MusterError('invalid_request', 'No sandbox asked for it: a grant for what people ask is org-wide');
  }
  const target = InvocationTarget.parse(JSON.parse(row.target));
  if ('nodes' in target && target.nodes.length > MAX_GRANT_NODES) {
    throw new MusterError('invalid_request', `A grant names ${MAX_GRANT_NODES} nodes at most: ask a group, or labels`);
  }
  const isOfNodes = !('integration' in target);
  if (!isOfNodes && row.integration_id === null) {
    throw new MusterError('conflict', 'The integration has been removed: there is nothing more to grant');
  }
  return {
    ...newGrant(principal, { max_calls, expires_in, invocation: row.id, nowMs }),
    sandbox,
    target: isOfNodes ? JSON.stringify(target) : null,
    integration: isOfNodes ? null : row.integration_id,
    actions: JSON.stringify([row.action]),
  };
}

/**
 * The grant that is made with the approval of this ask: for what would run now, and nothing in its place.
 * @throws {MusterError} conflict: its integration is not there; invalid_request: its nodes differ too much
 */
export function grantAsReviewed(beside: GrantBeside, { definitions }: Question): GrantRow {
  if (definitions === undefined) throw new MusterError('conflict', 'There is nothing more to grant: it would not run');
  const written = writeDefinitions(new Map(readActions(beside).map((action) => [action, definitions()])));
  if (written === undefined) throw new MusterError('invalid_request', TOO_DIFFERENT);
  return { ...beside, definitions: written };
}

/** Why a new grant is not made; undefined when it may be. */
export async function refusalOfGrant(
  tx: Queries,
  { org, token, created_at: nowMs }: Pick<GrantRow, 'org' | 'token' | 'created_at'>,
): Promise<(Refusal & { refused: 'conflict' | 'unauthenticated' }) | undefined> {
  if (token !== null && (await findToken(tx, org, token)) === undefined) {
    return { refused: 'unauthenticated', detail: 'The token that came with the request has ended' };
  }
  if ((await countActive(tx, { org, nowMs })) < MAX_ACTIVE) return undefined;
  return { refused: 'conflict', detail: `${MAX_ACTIVE} grants are active already: revoke some` };
}

/** Adds a grant with its audit row; streams hear of it. */
export async function insertGrant(tx: Tx, row: GrantRow): Promise<void> {
  await tx.insertInto('grants').values(row).execute();
  const { id, org, created_by: actor, created_at: atMs, sandbox, max_calls, expires_at, invocation_id } = row;
  const details = {
    ...{ sandbox, max_calls, expires_at, invocation: invocation_id, digest: grantDigest(row) },
    what: `${row.actions} on ${row.target ?? `integration ${row.integration}`}`.slice(0, MAX_WHAT),
  };
  await appendAudit(tx, [{ atMs, org, actor, event: 'grant_created', subject: `grant:${id}`, details }]);
  tellGrant(tx, { org, id, change: 'made', by: actor });
}

/** Characters of what a grant is for in an audit row. */
const MAX_WHAT = 512;
