import { z } from 'zod';
import { sha256Hex } from '../../protocol/envelope.js';
import { identityDigest } from '../identity/identities.js';
import { fingerprintOf } from '../identity/secrets.js';
import type { AuditRow } from '../store/audit.js';
import { type AccessSnapshot, type KeyRow, readAccess } from './access-snapshot.js';
import { CUT_MARGIN_MS, readDetails } from './details.js';
import { GRANT_EVENTS, grantFaults, type ToldGrant } from './grants.js';
import type { VerifyDeps } from './run.js';

/** Whoever may do something, or is believed, was made so by somebody of whom the trail tells. */
export type AccessCheck = Readonly<{ look: (rows: readonly AuditRow[]) => void; finish: () => void }>;

/** Rows of earlier releases have no fingerprint. */
const Fingerprint = z.string().nullable().optional();
const User = z.object({ role: z.string(), disabled: z.boolean().default(false), fingerprint: Fingerprint });
const Linked = z.object({ identity: z.string() });
const Password = z.object({ fingerprint: Fingerprint });
const Token = z.object({
  user: z.string(),
  role: z.string(),
  expires_at: z.int().nullable(),
  fingerprint: Fingerprint,
});
const NodeToken = z.object({ node: z.string(), fingerprint: Fingerprint });
const EnrollmentToken = z.object({ uses: z.int(), expires_at: z.int(), fingerprint: Fingerprint });
const Sandbox = z.object({
  name: z.string(),
  connections: z.string(),
  expires_at: z.int().nullable(),
  fingerprint: Fingerprint,
  status: z.string().default('running'),
});
const SandboxChange = Sandbox.pick({ status: true });
const SandboxToken = Sandbox.pick({ expires_at: true, fingerprint: true });
const Enrolled = z.object({ kid: z.string().optional() });
const Policy = z.object({ sha256: z.string() });
const Integration = z.object({ name: z.string(), status: z.string().default('active'), fingerprint: Fingerprint });
const IntegrationChange = Integration.pick({ status: true });

/** What the trail says of one of them at the end. */
type Claims = Readonly<{
  users: Map<string, z.infer<typeof User>>;
  /** User → the digest of who they are at the provider; deleted users as well. */
  identities: Map<string, string>;
  tokens: Map<string, z.infer<typeof Token>>;
  nodeTokens: Map<string, z.infer<typeof NodeToken>>;
  enrollmentTokens: Map<string, z.infer<typeof EnrollmentToken>>;
  sandboxes: Map<string, z.infer<typeof Sandbox>>;
  grants: Map<string, ToldGrant>;
  policies: Map<string, z.infer<typeof Policy>>;
  integrations: Map<string, z.infer<typeof Integration>>;
  /** Node → the key that it has now; empty for one that polls. */
  enrolled: Map<string, string>;
  /** `{node} {kid}` of every key that was ever enrolled. */
  keys: Set<string>;
}>;

/**
 * Holds users, tokens, node keys and policies against the trail. They are read before it is walked, in one moment, and
 * rows that came later are not for them.
 */
export async function createAccessCheck({ read, notes }: Pick<VerifyDeps, 'read' | 'notes'>): Promise<AccessCheck> {
  const snapshot = await readAccess(read);
  const claims: Claims = {
    users: new Map(),
    identities: new Map(),
    tokens: new Map(),
    nodeTokens: new Map(),
    enrollmentTokens: new Map(),
    sandboxes: new Map(),
    grants: new Map(),
    policies: new Map(),
    integrations: new Map(),
    enrolled: new Map(),
    keys: new Set(),
  };
  let fromMs: number | undefined;
  return {
    look(rows) {
      const [first] = rows;
      if (first !== undefined) fromMs ??= first.seq === 1 ? 0 : first.at + CUT_MARGIN_MS;
      for (const row of rows) if (row.seq <= snapshot.through) take(claims, row);
    },
    finish() {
      const since = fromMs ?? 0;
      const find = (subject: string, detail: string): void => notes.find('access', subject, detail);
      for (const [subject, detail, madeMs] of faultsOf(snapshot, claims)) {
        // What was made before the trail begins, no row of it tells of.
        if (madeMs === undefined || madeMs >= since) find(subject, detail);
      }
      notes.count('access', snapshot.size);
    },
  };
}

/** What each event changes of the claims; `id` is the subject without its kind. */
const TAKES: ReadonlyMap<string, (claims: Claims, id: string, row: AuditRow) => void> = new Map([
  ['user_created', takeUser],
  ['user_changed', takeUser],
  ['password_changed', takePassword],
  ['user_deleted', ({ users }, id) => users.delete(id)],
  ['identity_linked', ({ identities }, id, row) => keep(identities, id, readDetails(Linked, row.details)?.identity)],
  ['token_created', takeToken],
  ['token_deleted', ({ tokens }, id) => tokens.delete(id)],
  ['token_expired', ({ tokens }, id) => tokens.delete(id)],
  ['node_token_created', ({ nodeTokens }, id, row) => keep(nodeTokens, id, readDetails(NodeToken, row.details))],
  ['node_token_deleted', ({ nodeTokens }, id) => nodeTokens.delete(id)],
  [
    'enrollment_token_created',
    ({ enrollmentTokens }, id, row) => keep(enrollmentTokens, id, readDetails(EnrollmentToken, row.details)),
  ],
  ['enrollment_token_deleted', ({ enrollmentTokens }, id) => enrollmentTokens.delete(id)],
  ['sandbox_created', ({ sandboxes }, id, row) => keep(sandboxes, id, readDetails(Sandbox, row.details))],
  ['sandbox_changed', (claims, id, row) => mend(claims.sandboxes, id, readDetails(SandboxChange, row.details))],
  ['sandbox_token_replaced', (claims, id, row) => mend(claims.sandboxes, id, readDetails(SandboxToken, row.details))],
  ['sandbox_deleted', ({ sandboxes }, id) => sandboxes.delete(id)],
  ['policy_changed', ({ policies }, id, row) => keep(policies, id, readDetails(Policy, row.details))],
  ['integration_added', ({ integrations }, id, row) => keep(integrations, id, readDetails(Integration, row.details))],
  ['integration_changed', takeIntegration],
  ['integration_removed', ({ integrations }, id) => integrations.delete(id)],
  ['node_enrolled', takeNode],
  ['node_removed', ({ enrolled }, id) => enrolled.delete(id)],
]);

function take(claims: Claims, row: AuditRow): void {
  const id = row.subject.slice(row.subject.indexOf(':') + 1);
  TAKES.get(row.event)?.(claims, id, row);
  GRANT_EVENTS.get(row.event)?.(claims.grants, id, row);
}

function takeUser({ users }: Claims, id: string, { details }: AuditRow): void {
  keep(users, id, readDetails(User, details));
}

function takePassword({ users }: Claims, id: string, { details }: AuditRow): void {
  const known = users.get(id);
  if (known !== undefined) users.set(id, { ...known, ...readDetails(Password, details) });
}

/** Earlier releases made the first owner with the first token, and wrote of the token alone. */
function takeToken({ users, tokens }: Claims, id: string, { actor, details }: AuditRow): void {
  const said = readDetails(Token, details);
  keep(tokens, id, said);
  if (actor !== 'controller' || said?.role !== 'owner' || users.has(said.user)) return;
  users.set(said.user, { role: 'owner', disabled: false, fingerprint: null });
}

function takeIntegration({ integrations }: Claims, id: string, { details }: AuditRow): void {
  const known = integrations.get(id);
  if (known !== undefined) integrations.set(id, { ...known, ...readDetails(IntegrationChange, details) });
}

function takeNode({ enrolled, keys }: Claims, id: string, { details }: AuditRow): void {
  const kid = readDetails(Enrolled, details)?.kid ?? '';
  enrolled.set(id, kid);
  keys.add(`${id} ${kid}`);
}

/** What is said of one that is known already. */
function mend<T extends object>(map: Map<string, T>, id: string, said: Partial<T> | undefined): void {
  const known = map.get(id);
  if (known !== undefined) map.set(id, { ...known, ...said });
}

function keep<T>(map: Map<string, T>, id: string, said: T | undefined): void {
  if (said !== undefined) map.set(id, said);
}

/** Subject, what is wrong, and when it was made if the fault is that no row tells of it. */
type Fault = readonly [subject: string, detail: string, madeMs?: number];

const UNTOLD = 'no row of the audit trail tells of it';
const OTHER_SECRET = 'it has another secret than the one that the trail tells of';

function* faultsOf(snapshot: AccessSnapshot, claims: Claims): Generator<Fault> {
  for (const row of snapshot.users) yield* userFaults(row, claims.users.get(row.id));
  yield* identityFaults(snapshot, claims);
  for (const row of snapshot.tokens) yield* tokenFaults(row, claims.tokens.get(row.id));
  for (const row of snapshot.nodeTokens) yield* nodeTokenFaults(row, claims.nodeTokens.get(row.id));
  for (const row of snapshot.enrollmentTokens) yield* enrollmentFaults(row, claims.enrollmentTokens.get(row.id));
  for (const row of snapshot.sandboxes) yield* sandboxFaults(row, claims.sandboxes.get(row.id));
  for (const row of snapshot.grants) {
    const subject = `grant:${row.id}`;
    const told = claims.grants.get(row.id);
    if (told === undefined) yield [subject, UNTOLD, row.created_at];
    for (const fault of grantFaults(row, told)) yield [subject, fault];
  }
  for (const row of snapshot.keys) yield* keyFaults(row, claims);
  for (const row of snapshot.integrations) yield* integrationFaults(row, claims.integrations.get(row.id));
  yield* policyFaults(snapshot, claims);
}

function* userFaults(
  { id, role, disabled_at, password_hash, created_at }: AccessSnapshot['users'][number],
  told: z.infer<typeof User> | undefined,
): Generator<Fault> {
  const subject = `user:${id}`;
  if (told === undefined) return yield [subject, UNTOLD, created_at];
  if (told.role !== role) yield [subject, `the role is ${role}, and the trail says ${told.role}`];
  if (told.disabled !== (disabled_at !== null)) yield [subject, 'the trail says otherwise whether it may log in'];
  if (isOther(told, password_hash)) yield [subject, 'it has another password than the one that the trail tells of'];
}

function* identityFaults({ identities }: AccessSnapshot, claims: Claims): Generator<Fault> {
  const there = new Set(identities.map(({ user_id }) => user_id));
  for (const row of identities) {
    const subject = `user:${row.user_id}`;
    const told = claims.identities.get(row.user_id);
    if (told === undefined) {
      yield [subject, 'no row of the audit trail tells of who it is at the provider', row.created_at];
    } else if (told !== identityDigest(row)) {
      yield [subject, 'it is somebody else at the provider than the trail says'];
    }
  }
  for (const id of claims.identities.keys()) {
    if (!there.has(id)) yield [`user:${id}`, 'the trail tells who it is at the provider, and the record is gone'];
  }
}

function* tokenFaults(
  { id, principal, role, expires_at, secret_sha256, created_at }: AccessSnapshot['tokens'][number],
  told: z.infer<typeof Token> | undefined,
): Generator<Fault> {
  const subject = `token:${id}`;
  if (told === undefined) return yield [subject, UNTOLD, created_at];
  const isSame = told.user === principal && told.role === role && told.expires_at === expires_at;
  if (!isSame) yield [subject, 'it may do other things than the trail says'];
  if (isOther(told, secret_sha256)) yield [subject, OTHER_SECRET];
}

function* nodeTokenFaults(
  { id, node, secret_sha256, created_at }: AccessSnapshot['nodeTokens'][number],
  told: z.infer<typeof NodeToken> | undefined,
): Generator<Fault> {
  const subject = `node_token:${id}`;
  if (told === undefined) return yield [subject, UNTOLD, created_at];
  if (told.node !== node) yield [subject, `it is for ${node}, and the trail says ${told.node}`];
  if (isOther(told, secret_sha256)) yield [subject, OTHER_SECRET];
}

function* enrollmentFaults(
  { id, uses_left, expires_at, secret_sha256, created_at }: AccessSnapshot['enrollmentTokens'][number],
  told: z.infer<typeof EnrollmentToken> | undefined,
): Generator<Fault> {
  const subject = `enrollment_token:${id}`;
  if (told === undefined) return yield [subject, UNTOLD, created_at];
  if (uses_left > told.uses || expires_at !== told.expires_at) yield [subject, 'it lets in more than the trail says'];
  if (isOther(told, secret_sha256)) yield [subject, OTHER_SECRET];
}

/** The credential opens only beside the address and the adapter that it was sealed with, so its hash stands for those too. */
function* integrationFaults(
  { id, name, status, sealed, created_at }: AccessSnapshot['integrations'][number],
  told: z.infer<typeof Integration> | undefined,
): Generator<Fault> {
  const subject = `integration:${id}`;
  if (told === undefined) return yield [subject, UNTOLD, created_at];
  if (told.name !== name || told.status !== status)
    yield [subject, 'the trail says otherwise what it is called, or whether it may be asked'];
  if (isOther(told, sealed)) yield [subject, 'it has another credential than the one that the trail tells of'];
}

function* sandboxFaults(
  row: AccessSnapshot['sandboxes'][number],
  told: z.infer<typeof Sandbox> | undefined,
): Generator<Fault> {
  const subject = `sandbox:${row.id}`;
  if (told === undefined) return yield [subject, UNTOLD, row.created_at];
  const isSame = told.connections === row.connections && told.expires_at === row.expires_at && told.name === row.name;
  if (!isSame) yield [subject, 'it may do other things than the trail says'];
  if (told.status !== row.status) yield [subject, `it is ${row.status}, and the trail says ${told.status}`];
  if (isOther(told, row.secret_sha256)) yield [subject, OTHER_SECRET];
}

/** A key is what its octets are, whatever thumbprint stands beside them. */
function* keyFaults({ node, kid, thumbprint, isBelieved, enrolled_at }: KeyRow, claims: Claims): Generator<Fault> {
  const subject = `node:${node}`;
  if (thumbprint !== kid) yield [subject, 'its key is another one than the thumbprint beside it says'];
  if (!claims.keys.has(`${node} ${kid}`)) {
    yield [subject, 'no row of the audit trail tells of its key', enrolled_at];
  } else if (isBelieved !== (claims.enrolled.get(node) === kid)) {
    yield [subject, `a key of it is ${isBelieved ? '' : 'not '}believed, and the trail says otherwise`];
  }
}

function* policyFaults({ policies }: AccessSnapshot, claims: Claims): Generator<Fault> {
  for (const { version, sha256, document, created_at } of policies) {
    const subject = `policy:${version}`;
    const told = claims.policies.get(String(version));
    if (sha256Hex(document) !== sha256) yield [subject, 'it was altered: its hash does not fit it'];
    if (told === undefined) yield [subject, UNTOLD, created_at];
    else if (told.sha256 !== sha256) yield [subject, 'the audit trail tells of another one'];
  }
  const newest = [...claims.policies.keys()].reduce((most, version) => Math.max(most, Number(version)), 0);
  const isThere = newest === 0 || policies.some(({ version }) => version === newest);
  if (!isThere) yield [`policy:${newest}`, 'the audit trail tells of it, and it is not there'];
}

function isOther({ fingerprint }: { fingerprint?: string | null | undefined }, stored: string | null): boolean {
  return fingerprint !== undefined && fingerprint !== fingerprintOf(stored);
}
