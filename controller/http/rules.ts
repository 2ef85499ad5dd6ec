import { MusterError } from '../../protocol/errors.js';
import { ROLES, reaches } from '../identity/roles.js';
import type { NodeCaller } from '../polling/contract.js';
import type { Principal, Role, Services } from '../services.js';

/**
 * Who may call a route: everybody, a node that polls, a person with at least this role, a sandbox, or either of the two.
 * Every route names one, and none is for sandboxes that does not say so.
 */
export type Rule = 'public' | 'node' | 'sandbox' | Role | `${Role} or sandbox`;

/** The token that a request came with; undefined when what came cannot be one. */
export type Credential = Readonly<{ from: 'header' | 'cookie'; bearer: string | undefined }>;

/** What a route answers whom its rule is not for; `role` is theirs. */
export class RefusedByRule extends MusterError {
  readonly role: Principal['role'];

  constructor(rule: Rule, role: Principal['role']) {
    super('forbidden', `This needs the role ${rule}; yours is ${role}`);
    this.role = role;
  }
}

/** What did not come, or is not valid. */
const NOT_ADMITTED = {
  nothing: 'No token came with the request',
  header: 'The token is not valid',
  cookie: 'The session of this browser has ended: sign in again',
} as const;

/** Longer values cannot be tokens of ours and are not looked up. */
const MAX_BEARER_LENGTH = 512;

/** True when the role reaches the rule. What nodes say, no person says for them, and neither does what sandboxes ask. */
export function mayCall(rule: Rule, role: Principal['role']): boolean {
  if (rule === 'public') return true;
  if (rule === 'node' || rule === 'sandbox') return rule === role;
  const least = leastRoleOf(rule);
  return role === 'sandbox' ? least !== rule : reaches(role, least);
}

/** Of a rule for people and sandboxes, that for people. */
function leastRoleOf(rule: Role | `${Role} or sandbox`): Role {
  return ROLES.find((role) => rule === role || rule === `${role} or sandbox`) ?? 'owner';
}

/**
 * Which node asks, on a route that is for nodes that poll.
 * @throws {MusterError} unauthenticated
 */
export async function admitNode(
  { polling }: Pick<Services, 'polling'>,
  header: string | undefined,
): Promise<NodeCaller> {
  const bearer = bearerOf(header);
  const caller = bearer === undefined ? undefined : await polling.authenticate(bearer);
  if (caller === undefined) throw new MusterError('unauthenticated', 'The token is not that of a node that polls');
  return caller;
}

/**
 * Who asks, if the rule lets them; undefined on public routes. A route without a rule is closed.
 * @throws {MusterError} unauthenticated, forbidden
 */
export async function admit(
  services: Pick<Services, 'authenticate'>,
  { rule, credential }: Readonly<{ rule: Rule | undefined; credential: Credential | undefined }>,
): Promise<Principal | undefined> {
  if (rule === 'public') return undefined;
  if (rule === undefined) throw new MusterError('forbidden', 'Nobody may call this address');
  const { from, bearer } = credential ?? {};
  const principal = bearer === undefined ? undefined : await services.authenticate(bearer);
  if (principal === undefined) throw new MusterError('unauthenticated', NOT_ADMITTED[from ?? 'nothing']);
  if (!mayCall(rule, principal.role)) throw new RefusedByRule(rule, principal.role);
  return principal;
}

/** The token of an `Authorization: Bearer` header (RFC 6750, section 2.1). */
export function bearerOf(header: string | undefined): string | undefined {
  const [, token] = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(header ?? '') ?? [];
  return token !== undefined && token.length <= MAX_BEARER_LENGTH ? token : undefined;
}
