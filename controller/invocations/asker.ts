import { Role } from '../http/people-schemas.js';
import { findUser } from '../identity/users.js';
import { mayAsk } from '../policy/access.js';
import type { Principal } from '../services.js';
import type { Queries } from '../store/database.js';
import type { InvocationRow } from '../store/invocations.js';

/**
 * Who asked for an invocation, as they are now; undefined when they may not ask any more: what such a one asked for is
 * nobody's wish.
 */
export async function findAsker(
  queries: Queries,
  { org, created_by: id }: Pick<InvocationRow, 'org' | 'created_by'>,
): Promise<Principal | undefined> {
  const user = await findUser(queries, org, id);
  const role = user === undefined || user.disabled_at !== null ? undefined : Role.parse(user.role);
  return role !== undefined && mayAsk(role) ? { id, org, role } : undefined;
}

/** What is said when {@link findAsker} finds nobody. */
export function askerGone({ created_by: id }: Pick<InvocationRow, 'created_by'>): string {
  return `${id}, who asked for it, may not ask for actions any more`;
}
