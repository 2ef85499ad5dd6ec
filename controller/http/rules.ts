import { MusterError } from '../../protocol/errors.js';
import { reaches } from '../identity/roles.js';
import type { NodeCaller, Principal, Role, Services } from '../services.js';

/** Who may call a route: everybody, a node that polls, or a principal with at least this role. Every route names one. */
export type Rule = 'public' | 'node' | Role;

/** Longer values cannot be tokens of ours and are not looked up. */
const MAX_BEARER_LENGTH = 512;

/** True when the role reaches the rule. What nodes say, no person says for them. */
export function mayCall(rule: Rule, role: Role): boolean {
  return rule === 'public' || (rule !== 'node' && reaches(role, rule));
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
  { rule, header }: { rule: Rule | undefined; header: string | undefined },
): Promise<Principal | undefined> {
  if (rule === 'public') return undefined;
  if (rule === undefined) throw new MusterError('forbidden', 'Nobody may call this address');
  const bearer = bearerOf(header);
  const principal = bearer === undefined ? undefined : await services.authenticate(bearer);
  if (principal === undefined) {
    throw new MusterError(
      'unauthenticated',
      header === undefined ? 'No token came with the request' : 'The token is not valid',
    );
  }
  if (!mayCall(rule, principal.role)) {
    throw new MusterError('forbidden', `This needs the role ${rule}; yours is ${principal.role}`);
  }
  return principal;
}

/** The token of an `Authorization: Bearer` header (RFC 6750, section 2.1). */
export function bearerOf(header: string | undefined): string | undefined {
  const [, token] = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(header ?? '') ?? [];
  return token !== undefined && token.length <= MAX_BEARER_LENGTH ? token : undefined;
}
