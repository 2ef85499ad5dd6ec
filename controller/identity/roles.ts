import type { Principal, Role } from '../services.js';

/** Roles from the least to the most; each may do what the ones before it may. */
export const ROLES = ['viewer', 'operator', 'admin', 'owner'] as const satisfies readonly Role[];

/** True when `role` may do what `needed` may. A sandbox has none of the roles of people, and reaches none. */
export function reaches(role: Principal['role'], needed: Role): boolean {
  return role !== 'sandbox' && ROLES.indexOf(role) >= ROLES.indexOf(needed);
}

/** The lesser of two roles: a token never does more than its user may. */
export function lesser(one: Role, other: Role): Role {
  return reaches(one, other) ? other : one;
}
