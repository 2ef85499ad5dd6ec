import { matches } from '../../protocol/selectors.js';
import { Role } from '../http/people-schemas.js';
import { peopleBehind, readHolders } from '../identity/holders.js';
import { lesser } from '../identity/roles.js';
import { findUser } from '../identity/users.js';
import type { Verdict } from '../invocations/draft.js';
import { protectionOf } from '../policy/access.js';
import { decideApproval, type Question } from '../policy/decide.js';
import type { PolicyDocument } from '../policy/document.js';
import { fitsAny } from '../policy/glob.js';
import type { Principal } from '../services.js';
import type { Queries } from '../store/database.js';
import {
  ANY_INTEGRATION,
  approverIdOf,
  findGrant,
  type GrantRow,
  readActions,
  readTarget,
  selectActive,
} from './rows.js';

/** An ask as grants are held against it. */
export type AskToGrant = Readonly<{
  principal: Principal;
  policy: PolicyDocument;
  question: Question;
  nowMs: number;
}>;

/**
 * Whether asks like this may be approved beforehand at all: what is dangerous, and what touches a protected node or
 * container, is looked at each time.
 */
export function isGrantable(policy: PolicyDocument, question: Question): boolean {
  const { risk, nodes, containers = [] } = question;
  return risk === 'write' && protectionOf(policy, question, [...nodes, ...containers]) === undefined;
}

/**
 * What a verdict becomes when a grant covers an ask that would wait for a person: approved, by that grant. Everything
 * else stays as it was decided; what the policy denies or refuses no grant brings back.
 */
export async function applyGrant(queries: Queries, ask: AskToGrant, verdict: Verdict): Promise<Verdict> {
  if (verdict.kind !== 'pending') return verdict;
  const grant = await findCovering(queries, ask);
  return grant === undefined ? verdict : { kind: 'approved', by: approverIdOf(grant.id), grant: grant.id };
}

/**
 * Takes one ask from the budget of a grant, in the transaction that stores the ask. False when the grant approves it no
 * more: its budget, its time, or the word of whoever made it was over before. Then nothing has changed.
 */
export async function spendGrant(tx: Queries, id: string, ask: AskToGrant): Promise<boolean> {
  const { principal, nowMs } = ask;
  const grant = await findGrant(tx, principal.org, id);
  if (grant === undefined || !(await isApprovedBy(tx, grant, ask))) return false;
  const active = selectActive(tx, { org: principal.org, nowMs }).select('id').where('id', '=', id);
  const { numUpdatedRows } = await tx
    .updateTable('grants')
    .set(({ eb }) => ({ used: eb('used', '+', 1), last_used_at: nowMs }))
    .where('id', 'in', active)
    .executeTakeFirst();
  return Number(numUpdatedRows) === 1;
}

/** The first of the active grants, in their order, that covers the ask. */
async function findCovering(queries: Queries, ask: AskToGrant): Promise<GrantRow | undefined> {
  const { principal, policy, question, nowMs } = ask;
  if (!isGrantable(policy, question)) return undefined;
  const sandbox = principal.sandbox?.id;
  const rows = await selectActive(queries, { org: principal.org, nowMs })
    .selectAll()
    .where(({ eb, or }) =>
      or([eb('sandbox', 'is', null), ...(sandbox === undefined ? [] : [eb('sandbox', '=', sandbox)])]),
    )
    .execute();
  for (const grant of rows.filter((row) => covers(row, question)).sort(compareGrants)) {
    if (await isApprovedBy(queries, grant, ask)) return grant;
  }
  return undefined;
}

/** The narrower one first: of the sandbox before of the org, then the one that ends first, then the older one. */
export function compareGrants(a: GrantRow, b: GrantRow): number {
  if ((a.sandbox === null) !== (b.sandbox === null)) return a.sandbox === null ? 1 : -1;
  if (a.expires_at !== b.expires_at) return a.expires_at - b.expires_at;
  return a.id < b.id ? -1 : 1;
}

/** Whether the action, and every node or the integration, is what the grant names. */
export function covers(
  grant: Pick<GrantRow, 'target' | 'integration' | 'actions'>,
  { action, nodes, integration }: Pick<Question, 'action' | 'nodes' | 'integration'>,
): boolean {
  const target = readTarget(grant);
  if (target === undefined) {
    if (integration === undefined || integration === null) return false;
    const isNamed = grant.integration === ANY_INTEGRATION || grant.integration === integration;
    return isNamed && fitsAny(readActions(grant), action.slice(action.indexOf('/') + 1));
  }
  if (integration !== undefined || nodes.length === 0 || !fitsAny(readActions(grant), action)) return false;
  if ('nodes' in target) {
    const named = new Set(target.nodes); // as long as a fleet, perhaps
    return nodes.every(({ node }) => named.has(node));
  }
  return nodes.every(({ node, groups, labels }) => matches(target, { node, groups: [...groups.keys()], labels }));
}

/**
 * Whether whoever made the grant could approve this ask now: they are still there, may still approve it by the policy of
 * now, and did not ask for it themselves where the policy wants somebody else.
 */
async function isApprovedBy(queries: Queries, grant: GrantRow, { principal, policy, question }: AskToGrant) {
  const approver = await findApprover(queries, grant);
  if (approver === undefined || !isGrantable(policy, question)) return false;
  const askedBy = [principal.id, ...peopleBehind(principal)];
  return decideApproval(policy, approver, { matter: question, askedBy }) === undefined;
}

/** Who made a grant, as they are now, but never more than they were. One who has the name since is somebody else. */
async function findApprover(queries: Queries, grant: GrantRow): Promise<Principal | undefined> {
  const { org, created_by: id } = grant;
  const user = await findUser(queries, org, id);
  if (user === undefined || user.disabled_at !== null || user.created_at > grant.created_at) return undefined;
  const role = lesser(Role.parse(user.role), Role.parse(grant.role));
  return { id, org, role, token: { id: grant.id, expiresMs: grant.expires_at, holders: readHolders(grant.holders) } };
}
