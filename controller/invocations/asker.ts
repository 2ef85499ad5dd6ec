import { Role } from '../http/people-schemas.js';
import { findUser } from '../identity/users.js';
import { mayAsk } from '../policy/access.js';
import { findSandbox, readPrincipal, sandboxOf } from '../sandboxes/rows.js';
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
  const sandbox = sandboxOf(id);
  if (sandbox !== undefined) return findRunningSandbox(queries, org, sandbox);
  const user = await findUser(queries, org, id);
  const role = user === undefined || user.disabled_at !== null ? undefined : Role.parse(user.role);
  return role !== undefined && mayAsk(role) ? { id, org, role } : undefined;
}

/** Whether whoever was let in may ask at this moment: what a sandbox has under way ends with it (promise 20). */
export async function mayStillAsk(tx: Queries, { org, sandbox }: Principal): Promise<boolean> {
  return sandbox === undefined || (await findSandbox(tx, org, sandbox.id))?.status === 'running';
}

/** One that is paused asks for nothing, and what it asked for waits with it. */
async function findRunningSandbox(queries: Queries, org: string, id: string): Promise<Principal | undefined> {
  const row = await findSandbox(queries, org, id);
  const principal = row === undefined ? undefined : await readPrincipal(queries, row);
  return principal?.sandbox?.isPaused === false ? principal : undefined;
}

/** What is said when {@link findAsker} finds nobody. */
export function askerGone({ created_by: id }: Pick<InvocationRow, 'created_by'>): string {
  return `${id}, who asked for it, may not ask for actions any more`;
}
