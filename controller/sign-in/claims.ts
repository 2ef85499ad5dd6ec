import { z } from 'zod';
import { MusterError } from '../../protocol/errors.js';
import type { Identity } from '../identity/identities.js';
import { reaches } from '../identity/roles.js';
import type { Role } from '../services.js';
import type { Oidc } from './settings.js';

/** Somebody whom the provider has vouched for. */
export type Person = Identity &
  Readonly<{
    /** What they call themselves there, as it came: good for reading, never for telling people apart. */
    name: string | undefined;
    groups: readonly string[];
  }>;

const Text = z.string().min(1).max(512);
const Claims = z.object({
  iss: Text,
  sub: z.string().min(1).max(255), // OpenID Connect Core 1.0, section 2
  preferred_username: Text.optional().catch(undefined),
  email: Text.optional().catch(undefined),
});

type Json = Readonly<Record<string, unknown>>;

/**
 * Who the claims of an id token, already verified, speak of. `userInfo` is asked when the groups are not among them.
 * @throws {MusterError} sign_in_failed; and whatever `userInfo` throws
 */
export async function personOf(
  claims: Json,
  groupsClaim: string,
  userInfo: (subject: string) => Promise<Json>,
): Promise<Person> {
  const parsed = Claims.safeParse(claims);
  if (!parsed.success) throw new MusterError('sign_in_failed', 'The provider does not say whom it vouches for');
  const { iss: issuer, sub: subject, preferred_username: username, email } = parsed.data;
  const more = Object.hasOwn(claims, groupsClaim) ? {} : await userInfo(subject);
  const groups = groupsOf({ ...more, ...claims }, groupsClaim);
  const told = Claims.pick({ preferred_username: true, email: true }).safeParse(more).data;
  return { issuer, subject, name: username ?? email ?? told?.preferred_username ?? told?.email, groups };
}

/** A list of names, or a single one; what is no text in it is no group. */
function groupsOf(claims: Json, claim: string): string[] {
  const said = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  return [said].flat().filter((each) => typeof each === 'string');
}

/** The highest role that the groups give, or else the usual one; undefined when the person has no business here. */
export function roleOf(
  groups: readonly string[],
  { roles, default_role: usual }: Pick<Oidc, 'roles' | 'default_role'>,
): Role | undefined {
  const roleOfGroup = new Map<string, Role>(Object.entries(roles));
  const given = groups.flatMap((group) => roleOfGroup.get(group) ?? []);
  return (
    given.reduce<Role | undefined>(
      (most, role) => (most === undefined || reaches(role, most) ? role : most),
      undefined,
    ) ?? usual
  );
}
