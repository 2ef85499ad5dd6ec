import type { Selector } from '../../protocol/selectors.js';
import { Role } from '../http/people-schemas.js';
import { peopleBehind, readHolders } from '../identity/holders.js';
import { lesser } from '../identity/roles.js';
import { findUser, type UserRow } from '../identity/users.js';
import type { Verdict } from '../invocations/draft.js';
import { protectionOf } from '../policy/access.js';
import { decideApproval, type Question } from '../policy/decide.js';
import type { PolicyDocument } from '../policy/document.js';
import type { ReachedNode } from '../sandboxes/reach.js';
import type { Principal } from '../services.js';
import type { Queries } from '../store/database.js';
import { isForAction } from './definitions.js';
import { ANY_INTEGRATION, approverIdOf, findGrant, type GrantRow, readTarget, selectActive } from './rows.js';

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
  const { principal, policy, question, nowMs } = ask;
  const { org } = principal;
  const grant = await findGrant(tx, org, id);
  if (grant === undefined || !isGrantable(policy, question)) return false;
  if (!isApprovedBy(await findUser(tx, org, grant.created_by), grant, ask)) return false;
  const active = selectActive(tx, { org, nowMs }).select('id').where('id', '=', id);
  const { numUpdatedRows } = await tx
    .updateTable('grants')
    .set(({ eb }) => ({ used: eb('used', '+', 1), last_used_at: nowMs }))
    .where('id', 'in', active)
    .executeTakeFirst();
  return Number(numUpdatedRows) === 1;
}

/** The first of the active grants, in their order, that covers the ask. What takes longest is looked at last. */
async function findCovering(queries: Queries, ask: AskToGrant): Promise<GrantRow | undefined> {
  const { policy, question } = ask;
  if (!isGrantable(policy, question)) return undefined;
  const findMaker = rememberMakers(queries, ask.principal.org);
  for (const grant of (await selectCandidates(queries, ask)).sort(compareGrants)) {
    if (!isForAction(grant, nameOf(question), question)) continue;
    if (!isApprovedBy(await findMaker(grant.created_by), grant, ask)) continue;
    if (namesTargets(grant, question)) return grant;
  }
  return undefined;
}

/** Those for this sandbox or everybody, and for nodes or this integration, as the ask is. */
function selectCandidates(queries: Queries, { principal, question: { integration }, nowMs }: AskToGrant) {
  const { org, sandbox } = principal;
  return selectActive(queries, { org, nowMs })
    .selectAll()
    .where(({ eb, or }) =>
      or([eb('sandbox', 'is', null), ...(sandbox === undefined ? [] : [eb('sandbox', '=', sandbox.id)])]),
    )
    .where(({ eb }) =>
      integration === undefined
        ? eb('integration', 'is', null)
        : eb('integration', 'in', [ANY_INTEGRATION, integration ?? '']),
    )
    .execute();
}

/** The narrower one first: of the sandbox before of the org, then the one that ends first, then the older one. */
function compareGrants(a: GrantRow, b: GrantRow): number {
  if ((a.sandbox === null) !== (b.sandbox === null)) return a.sandbox === null ? 1 : -1;
  if (a.expires_at !== b.expires_at) return a.expires_at - b.expires_at;
  return a.id < b.id ? -1 : 1;
}

/** The action as a grant names it: of an integration without the integration's name. */
function nameOf({ action, integration }: Question): string {
  return integration === undefined ? action : action.slice(action.indexOf('/') + 1);
}

/** How a list of nodes begins, as a column of the store holds it. */
const NODES = '{"nodes":';

/** Whether every node, or the integration, is what the grant names. */
function namesTargets(grant: GrantRow, { nodes, integration }: Question): boolean {
  if (integration === null) return false; // it is gone: nothing will be asked of it
  if (integration !== undefined) return grant.integration === ANY_INTEGRATION || grant.integration === integration;
  const [first] = nodes;
  // Reading 500 lists of 1,000 nodes takes 0.3 s (2026-11-21): most of them do not name the first one.
  if (first === undefined || (grant.target?.startsWith(NODES) && !grant.target.includes(`"${first.node}"`)))
    return false;
  const target = readTarget(grant);
  return target !== undefined && nodes.every(nameTest(target));
}

/** The nodes may be as many as a fleet, and the names too: none is looked for in a list. */
function nameTest(target: Selector): (node: ReachedNode) => boolean {
  if ('fleet' in target) return () => true;
  if ('group' in target) return ({ groups }) => groups.has(target.group);
  if ('nodes' in target) {
    const named = new Set(target.nodes);
    return ({ node }) => named.has(node);
  }
  const wanted = Object.entries(target.labels);
  return ({ labels }) => wanted.every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
}

/** Looks for each user once: one may have made all grants. */
function rememberMakers(queries: Queries, org: string): (id: string) => Promise<UserRow | undefined> {
  const known = new Map<string, UserRow | undefined>();
  return async (id) => {
    if (!known.has(id)) known.set(id, await findUser(queries, org, id));
    return known.get(id);
  };
}

/**
 * Whether whoever made the grant could approve this ask now: they are still there, may still approve it by the policy of
 * now, and did not ask for it themselves where the policy wants somebody else.
 */
function isApprovedBy(maker: UserRow | undefined, grant: GrantRow, { principal, policy, question }: AskToGrant) {
  const approver = asApprover(maker, grant);
  if (approver === undefined) return false;
  const askedBy = [principal.id, ...peopleBehind(principal)];
  return decideApproval(policy, approver, { matter: question, askedBy }) === undefined;
}

/** Who made a grant, as they are now, but never more than they were. One who has the name since is somebody else. */
function asApprover(maker: UserRow | undefined, grant: GrantRow): Principal | undefined {
  if (maker === undefined || maker.disabled_at !== null || maker.created_at > grant.created_at) return undefined;
  const { id, org } = maker;
  const role = lesser(Role.parse(maker.role), Role.parse(grant.role));
  return { id, org, role, token: { id: grant.id, expiresMs: grant.expires_at, holders: readHolders(grant.holders) } };
}
