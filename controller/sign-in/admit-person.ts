import { writeHolders } from '../identity/holders.js';
import { findIdentity, identityDigest, insertIdentity } from '../identity/identities.js';
import { fingerprintOf } from '../identity/secrets.js';
import { revokeTokens } from '../identity/token-rows.js';
import { findUser, type UserRow } from '../identity/users.js';
import type { Role } from '../services.js';
import { appendAudit } from '../store/audit.js';
import type { Queries, Tx } from '../store/database.js';
import type { Person } from './claims.js';

/** Why somebody whom the provider vouches for is not let in: the word for the audit trail, and what they are told. */
const REFUSALS = {
  no_role: 'None of your groups at the provider has a role here: ask whoever looks after this controller',
  user_deleted: 'The user was deleted here: ask an admin to add it again',
  user_disabled: 'The user is disabled here: ask an admin',
  name_taken: 'There is another user of the name that would be yours: ask an admin',
} as const;

/** A value, since a failure inside the transaction would undo the audit row that tells of it. */
export type NotAdmitted = Readonly<{ refused: string; user: string }>;

/** How somebody came: in a browser, or with a code that they confirmed elsewhere. */
export type Way = 'browser' | 'device';

type Sign = Readonly<{ org: string; person: Person; role: Role | undefined; way: Way; nowMs: number }>;

const CONTROLLER = 'controller';
const MAX_NAME = 48;

/**
 * The user that a person is, by issuer and subject alone: made at their first sign-in, and given the role that their
 * groups give them now. Whom no group gives one loses every token and grant.
 */
export async function admitPerson(tx: Tx, sign: Sign): Promise<UserRow | NotAdmitted> {
  const { org, person, role } = sign;
  const identity = await findIdentity(tx, org, person);
  const id = identity?.user_id ?? userNameOf(person);
  const user = await findUser(tx, org, id);
  if (identity === undefined && user !== undefined) return refuse(tx, sign, { id, reason: 'name_taken' });
  if (role === undefined) {
    if (user !== undefined) await revokeTokens(tx, { user: id }, { by: { org, id: CONTROLLER }, nowMs: sign.nowMs });
    return refuse(tx, sign, { id, reason: 'no_role' });
  }
  if (identity === undefined) await insertIdentity(tx, { ...identityIn(sign), user_id: id });
  else if (user === undefined) return refuse(tx, sign, { id, reason: 'user_deleted' });
  if (user !== undefined && user.disabled_at !== null) return refuse(tx, sign, { id, reason: 'user_disabled' });
  const admitted =
    user === undefined ? await addUser(tx, sign, { id, role }) : await giveRole(tx, sign, { user, role });
  await audit(tx, sign, { id, event: 'signed_in', details: { role, way: sign.way } });
  return admitted;
}

/**
 * What a user is called here. Policies name users, so nobody may choose a whole name: its end follows from issuer and
 * subject, which no person has a hand in.
 */
export function userNameOf(person: Person): string {
  const readable = (person.name ?? '')
    .replace(/[^A-Za-z0-9_.@-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, MAX_NAME);
  return `${readable === '' ? 'user' : readable}-${identityDigest(person).slice(0, 12)}`;
}

function identityIn({ org, person, nowMs }: Sign) {
  return { org, issuer: person.issuer, subject: person.subject, created_at: nowMs };
}

async function addUser(tx: Queries, sign: Sign, { id, role }: { id: string; role: Role }): Promise<UserRow> {
  const row = { id, role, password_hash: null, created_at: sign.nowMs, created_by: CONTROLLER, disabled_at: null };
  const user = { ...row, org: sign.org, password_holders: writeHolders([]) };
  await tx.insertInto('users').values(user).execute();
  await audit(tx, sign, { id, event: 'user_created', details: { role, fingerprint: null } });
  return user;
}

async function giveRole(tx: Queries, sign: Sign, { user, role }: { user: UserRow; role: Role }): Promise<UserRow> {
  if (user.role === role) return user;
  const { org, id } = user;
  await tx.updateTable('users').set({ role }).where('org', '=', org).where('id', '=', id).execute();
  const fingerprint = fingerprintOf(user.password_hash);
  const details = { role, role_before: user.role, disabled: false, password: false, fingerprint };
  await audit(tx, sign, { id, event: 'user_changed', details });
  return { ...user, role };
}

async function refuse(
  tx: Queries,
  sign: Sign,
  { id, reason }: { id: string; reason: keyof typeof REFUSALS },
): Promise<NotAdmitted> {
  await audit(tx, sign, { id, event: 'sign_in_refused', details: { reason, way: sign.way } });
  return { refused: REFUSALS[reason], user: id };
}

type Entry = Readonly<{ id: string; event: string; details: Readonly<Record<string, string | boolean | null>> }>;

function audit(tx: Queries, { org, nowMs }: Sign, { id, event, details }: Entry): Promise<void> {
  return appendAudit(tx, [{ atMs: nowMs, org, actor: CONTROLLER, event, subject: `user:${id}`, details }]);
}
