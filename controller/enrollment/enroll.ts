import type { Selectable } from 'kysely';
import { MAX_BROKER_TOKEN_SECONDS } from '../../protocol/broker-token.js';
import { openWithOwnKey, parsePayload } from '../../protocol/envelope.js';
import { isMusterError, MusterError } from '../../protocol/errors.js';
import type { VerifyKey } from '../../protocol/keys.js';
import { Enroll, type Enrolled, parseEnrollmentToken } from '../../protocol/messages/enrollment.js';
import { type Clock, toTime } from '../../runtime/clock.js';
import { issueBrokerPassword } from '../identity/broker-credentials.js';
import type { Keyring } from '../identity/keyring.js';
import { isSecret } from '../identity/secrets.js';
import type { Registry } from '../nodes/registry.js';
import type { EnrollmentService } from '../services.js';
import { appendAudit } from '../store/audit.js';
import type { Queries, Tx } from '../store/database.js';
import { readLabels, readStrings } from '../store/json.js';
import { findNodeKey, type NodeKeyRow } from '../store/node-keys.js';
import { findNodeRow, insertNode, type NodeRow } from '../store/nodes.js';
import type { Tables } from '../store/schema.js';
import type { Store } from '../store/store.js';

export type EnrollDeps = Readonly<{
  store: Store;
  keyring: Keyring;
  registry: Registry;
  clock: Clock;
  org: string;
  prefix: string;
  /** What nodes are told of the broker. */
  broker: Readonly<{ url: string; ca?: string | undefined }>;
}>;

type Token = Selectable<Tables['enrollment_tokens']>;

/** What the transaction found or made; a refusal is a value, so that it does not undo its neighbours in the batch. */
type Admission =
  | Readonly<{ kind: 'enrolled' | 'known'; row: NodeRow; groups: readonly string[] }>
  | Readonly<{
      kind: 'refused';
      code: 'enrollment_token_invalid' | 'node_id_taken' | 'node_id_not_allowed';
      detail: string;
    }>;

/** Client ids of controllers and monitors: a node that had one could push them off the broker. */
export const RESERVED_ID = /^(ctl|mon)-/;

const MAX_ENROLL_BYTES = 64 * 1024;

/**
 * Lets a node in that brings its own key and a token: the token is used up in the same transaction that makes the
 * node. The same token and key get the same node again, also when the token has no uses left.
 */
export function createEnroll(deps: EnrollDeps): EnrollmentService['enroll'] {
  const { store, clock } = deps;
  return async (jws) => {
    const { signer, ask } = openAsk(jws);
    const parts = parseEnrollmentToken(ask.token);
    if (parts === undefined)
      throw new MusterError('enrollment_token_invalid', 'The enrollment token is not one of ours');
    const admission = await store.write((tx) => admit(tx, deps, { ask, signer, ...parts, nowMs: clock.nowMs() }));
    if (admission.kind === 'refused') throw new MusterError(admission.code, admission.detail);
    const { row, groups } = admission;
    if (admission.kind === 'enrolled') register(deps, { row, signer, groups });
    return { status: 201, jws: answer(deps, { row, groups, signer, tokenId: parts.id }) };
  };
}

function openAsk(jws: string): { signer: VerifyKey; ask: Enroll } {
  try {
    const { signer, payload } = openWithOwnKey(jws, MAX_ENROLL_BYTES);
    return { signer, ask: parsePayload(Enroll, payload) };
  } catch (cause) {
    if (!isMusterError(cause)) throw cause;
    throw new MusterError('invalid_request', `The enrollment does not hold: ${cause.message}`, { cause });
  }
}

type Candidate = Readonly<{ ask: Enroll; signer: VerifyKey; id: string; secret: string; root: string; nowMs: number }>;

async function admit(tx: Tx, deps: EnrollDeps, candidate: Candidate): Promise<Admission> {
  const { ask, signer, id, secret, root, nowMs } = candidate;
  const token = await tx.selectFrom('enrollment_tokens').selectAll().where('id', '=', id).executeTakeFirst();
  const genuine = isSecret(secret, token?.secret_sha256 ?? '0'.repeat(64));
  if (token === undefined || !genuine || token.org !== deps.org || root !== deps.keyring.keys.root.kid) {
    return invalid('The enrollment token is unknown');
  }

  const key = await findNodeKey(tx, signer.kid);
  if (key !== undefined) return admitAgain(tx, key, { token, wanted: ask.node_id });

  if (token.expires_at <= nowMs) return invalid('The enrollment token has expired');
  if (token.uses_left < 1) return invalid('The enrollment token is used up');
  const node = ask.node_id;
  if (node === undefined) return notAllowed('The enrollment names no node_id');
  if (RESERVED_ID.test(node))
    return notAllowed('Node ids do not begin with ctl- or mon-: those are client ids of others');
  if (token.node_id_pattern !== null && !matchesGlob(token.node_id_pattern, node)) {
    return notAllowed(`The token allows node ids that match ${token.node_id_pattern}`);
  }
  const taken = await whyTaken(tx, node);
  if (taken !== undefined) return { kind: 'refused', code: 'node_id_taken', detail: taken };
  return enrollNew(tx, { token, node, candidate, org: deps.org });
}

/** Why nobody else may be called so now; undefined when nobody is, or whoever was has been removed. */
export async function whyTaken(tx: Queries, node: string): Promise<string | undefined> {
  const row = await findNodeRow(tx, node);
  if (row === undefined) return undefined;
  if (row.revoked_at === null) return `A node ${node} is enrolled with another key`;
  const open = await tx
    .selectFrom('executions')
    .select('execution_id')
    .where('node', '=', node)
    .where('open', '=', 1)
    .limit(1)
    .executeTakeFirst();
  return open === undefined ? undefined : `The node ${node} was removed a moment ago: try again in a few seconds`;
}

/** A node that lost the answer asks again with the key that it kept. */
async function admitAgain(
  tx: Tx,
  key: NodeKeyRow,
  { token, wanted }: { token: Token; wanted: string | undefined },
): Promise<Admission> {
  const row = await findNodeRow(tx, key.node);
  if (key.revoked_at !== null || row === undefined) return invalid('The node was removed: it needs a new key');
  if (row.token_id !== token.id) return invalid('The node was enrolled with another token');
  if (wanted !== undefined && wanted !== row.node) return notAllowed(`This key is enrolled as ${row.node}`);
  const groups = await tx.selectFrom('node_groups').select('group').where('node', '=', row.node).execute();
  return { kind: 'known', row, groups: groups.map(({ group }) => group) };
}

async function enrollNew(
  tx: Tx,
  { token, node, candidate, org }: { token: Token; node: string; candidate: Candidate; org: string },
): Promise<Admission> {
  const { ask, signer, nowMs } = candidate;
  await tx
    .updateTable('enrollment_tokens')
    .set({ uses_left: token.uses_left - 1 })
    .where('id', '=', token.id)
    .where('uses_left', '=', token.uses_left)
    .execute();
  const row: NodeRow = {
    node,
    org,
    kid: signer.kid,
    public_jwk: JSON.stringify(signer.jwk),
    token_id: token.id,
    labels: token.labels,
    enrolled_at: nowMs,
    revoked_at: null,
    agent_version: ask.agent_version,
    boot_id: null,
    process_id: null,
    connection: 0,
    started_at: null,
    last_seen_at: null,
    journal_epoch: null,
    journal_seq: 0,
    welcome_seq: 0,
    keys_version: 0,
    former_processes: '[]',
    password_expires_at: nowMs + MAX_BROKER_TOKEN_SECONDS * 1000,
    password_groups: token.groups,
    capabilities_sha256: null,
    capabilities: null,
    transport: 'mqtt',
  };
  const groups = readStrings(token.groups);
  await insertNode(tx, row, groups);
  const details = { token: token.id, kid: signer.kid };
  await appendAudit(tx, [
    { atMs: nowMs, org, actor: `node:${node}`, event: 'node_enrolled', subject: `node:${node}`, details },
  ]);
  tx.tell({ org, event: { type: 'node', node, change: 'enrolled' } });
  return { kind: 'enrolled', row, groups };
}

function register(
  { registry }: EnrollDeps,
  { row, signer, groups }: { row: NodeRow; signer: VerifyKey; groups: readonly string[] },
): void {
  registry.put({
    node: row.node,
    org: row.org,
    key: signer,
    enrolledAtMs: row.enrolled_at,
    labels: readLabels(row.labels),
    groups: new Map(groups.map((group) => [group, row.enrolled_at])),
    agentVersion: row.agent_version,
    bootId: null,
    processId: null,
    connection: 0,
    formerProcesses: [],
    lastSeenMs: null,
    journalEpoch: null,
    journalSeq: 0,
    welcomeSeq: 0,
    passwordExpiresAtMs: row.password_expires_at,
    passwordGroups: groups,
    capabilitiesSha256: null,
    catalogue: undefined,
    containers: [],
    hidesContainers: false,
    pins: new Map(),
  });
}

function answer(
  { keyring, clock, org, prefix, broker }: EnrollDeps,
  { row, groups, signer, tokenId }: { row: NodeRow; groups: readonly string[]; signer: VerifyKey; tokenId: string },
): string {
  const { password } = issueBrokerPassword(
    keyring,
    { role: 'node', id: row.node, org, groups, nodeKey: signer.kid },
    clock.nowMs(),
  );
  const enrolled: Enrolled = {
    v: 1,
    token_id: tokenId,
    node_key: signer.kid,
    org,
    node_id: row.node,
    prefix,
    root: keyring.keys.root.jwk,
    keys: keyring.keys.list.jws,
    broker: { url: broker.url, username: row.node, password, ...(broker.ca === undefined ? {} : { ca: broker.ca }) },
    enrolled_at: toTime(row.enrolled_at),
  };
  return keyring.sign('muster-enrolled', JSON.stringify(enrolled));
}

/** `*` stands for any characters; everything else for itself. Linear in the text: no regular expression from outside. */
export function matchesGlob(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const piece of rest) {
    const found = text.indexOf(piece, at);
    if (found === -1 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}

function invalid(detail: string): Admission {
  return { kind: 'refused', code: 'enrollment_token_invalid', detail };
}

function notAllowed(detail: string): Admission {
  return { kind: 'refused', code: 'node_id_not_allowed', detail };
}
