import type { Selectable } from 'kysely';
import { sha256Hex } from '../../protocol/envelope.js';
import { MusterError } from '../../protocol/errors.js';
import { type Clock, toTime } from '../../runtime/clock.js';
import { RESERVED_ID, whyTaken } from '../enrollment/enroll.js';
import type { NodeTokenView } from '../http/polling-schemas.js';
import { fingerprintOf, hashSecret, isSecret, randomSecret, randomTokenId } from '../identity/secrets.js';
import { type Registry, toRecord } from '../nodes/registry.js';
import { readTimeCursor, timeKey, toPage } from '../paging.js';
import type { Principal } from '../services.js';
import { appendAudit } from '../store/audit.js';
import type { Queries, Tx } from '../store/database.js';
import { type Made, madeOf, makeOnce, type Refusal } from '../store/made-once.js';
import { findNodeRow, insertNode, type NodeRow } from '../store/nodes.js';
import type { Tables } from '../store/schema.js';
import type { Store } from '../store/store.js';
import type { NodeCaller, PollingService } from './contract.js';
import { fleetCapabilities } from './fleet-actions.js';

type TokenRow = Selectable<Tables['node_tokens']>;

/** What is asked for, out of its schema. */
type Ask = Parameters<PollingService['createToken']>[1];

/** A token, and the node that was made with it; undefined when that was there before. */
type MadeToken = Readonly<{ token: TokenRow; newNode: NodeRow | undefined }>;

const NODE_TOKEN = /^mnt_([a-z0-9]{8,32})_([A-Za-z0-9]{16,64})$/;
/** Compared against when no token has the id, so that an unknown id takes as long as a wrong secret. */
const NO_SECRET = '0'.repeat(64);

type TokenDeps = Readonly<{ store: Store; registry: Registry; clock: Clock }>;

/**
 * Tokens of nodes that only poll, each stored as the hash of its secret. The first one makes the node; a node that has
 * a key gets none, since its own signature is the better word.
 */
export function createNodeTokens(
  deps: TokenDeps,
): Pick<PollingService, 'createToken' | 'listTokens' | 'deleteToken' | 'authenticate'> {
  const { store, registry, clock } = deps;
  return {
    async createToken(principal, ask, once) {
      const nowMs = clock.nowMs();
      const secret = once?.secret ?? randomSecret();
      const { org, id: created_by } = principal;
      const token: TokenRow = {
        ...{ id: randomTokenId(), org, node: ask.node, created_at: nowMs, created_by },
        secret_sha256: hashSecret(secret),
      };
      if (RESERVED_ID.test(ask.node)) {
        throw new MusterError('node_id_not_allowed', 'Node ids do not begin with ctl- or mon-');
      }
      const outcome = await store.write((tx) =>
        makeOnce(
          tx,
          { by: principal, once, nowMs },
          { find: (id) => findToken(tx, org, id), make: () => insertToken(tx, { principal, ask, token }) },
        ),
      );
      const { token: made, newNode } = madeOf(outcome);
      if (newNode !== undefined) {
        const groups = ask.groups.map((group) => ({ node: ask.node, group, since: nowMs }));
        registry.put(toRecord({ row: newNode, groups, pins: [] }, registry.catalogues));
      }
      return { ...toView(made), token: `mnt_${made.id}_${secret}` };
    },
    async listTokens(org, { limit, cursor }) {
      const after = readTimeCursor(cursor);
      let query = store.read.selectFrom('node_tokens').selectAll().where('org', '=', org);
      if (after !== undefined) {
        query = query.where(({ eb, refTuple, tuple }) =>
          eb(refTuple('created_at', 'id'), '<', tuple(after.atMs, after.id)),
        );
      }
      const rows = await query
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(limit + 1)
        .execute();
      return toPage(rows, { limit, keyOf: timeKey, toItem: toView });
    },
    deleteToken: ({ org, id: actor }, id) =>
      store.write(async (tx) => {
        const gone = await tx.deleteFrom('node_tokens').where('id', '=', id).where('org', '=', org).executeTakeFirst();
        if (gone.numDeletedRows === 0n) return false;
        const event = 'node_token_deleted';
        await appendAudit(tx, [{ atMs: clock.nowMs(), org, actor, event, subject: `node_token:${id}` }]);
        return true;
      }),
    authenticate: (bearer) => findCaller(deps, bearer),
  };
}

/** Read at each call, so that a deleted token and a revoked node are out at once (promise 20). */
async function findCaller({ store, registry }: TokenDeps, bearer: string): Promise<NodeCaller | undefined> {
  const [, id, secret] = NODE_TOKEN.exec(bearer) ?? [];
  if (id === undefined || secret === undefined) return undefined;
  const row = await store.read
    .selectFrom('node_tokens')
    .innerJoin('nodes', (join) =>
      join.onRef('nodes.node', '=', 'node_tokens.node').onRef('nodes.org', '=', 'node_tokens.org'),
    )
    .select(['node_tokens.node', 'node_tokens.org', 'secret_sha256', 'transport', 'revoked_at'])
    .where('node_tokens.id', '=', id)
    .executeTakeFirst();
  const holds = isSecret(secret, row?.secret_sha256 ?? NO_SECRET);
  if (row === undefined || !holds || row.transport !== 'http' || row.revoked_at !== null) return undefined;
  return registry.get(row.node) === undefined ? undefined : { node: row.node, org: row.org };
}

async function findToken(tx: Queries, org: string, id: string): Promise<MadeToken | undefined> {
  const token = await tx
    .selectFrom('node_tokens')
    .selectAll()
    .where('org', '=', org)
    .where('id', '=', id)
    .executeTakeFirst();
  return token === undefined ? undefined : { token, newNode: undefined };
}

async function insertToken(
  tx: Tx,
  { principal, ask, token }: { principal: Principal; ask: Ask; token: TokenRow },
): Promise<(Made<MadeToken> & Readonly<{ id: string }>) | Refusal> {
  const { org, id: actor } = principal;
  const { node, created_at: nowMs } = token;
  const stored = await findNodeRow(tx, node);
  const known = stored?.revoked_at === null ? stored : undefined;
  const refusal = known === undefined ? await refusalOfName(tx, node) : refusalOf(known, { org, ask });
  if (refusal !== undefined) return refusal;
  const row = known ?? newNode(token, ask);
  const at = { atMs: nowMs, org, actor };
  if (known === undefined) {
    await insertNode(tx, row, ask.groups);
    await appendAudit(tx, [{ ...at, event: 'node_enrolled', subject: `node:${node}`, details: { transport: 'http' } }]);
    tx.tell({ org, event: { type: 'node', node, change: 'enrolled' } });
  }
  await tx.insertInto('node_tokens').values(token).execute();
  const details = { node, fingerprint: fingerprintOf(token.secret_sha256) };
  await appendAudit(tx, [{ ...at, event: 'node_token_created', subject: `node_token:${token.id}`, details }]);
  return { id: token.id, made: { token, newNode: known === undefined ? row : undefined } };
}

async function refusalOfName(tx: Queries, node: string): Promise<Refusal | undefined> {
  const taken = await whyTaken(tx, node);
  return taken === undefined ? undefined : { refused: 'node_id_taken', detail: taken };
}

function refusalOf(known: NodeRow, { org, ask }: { org: string; ask: Ask }): Refusal | undefined {
  if (known.org !== org || known.transport !== 'http') {
    return { refused: 'node_id_taken', detail: `There is a node ${known.node} already, with a key` };
  }
  if (ask.groups.length === 0 && Object.keys(ask.labels).length === 0) return undefined;
  const detail = `There is a node ${known.node} already: its groups and labels are not for a further token to set`;
  return { refused: 'conflict', detail };
}

/** A node without a key: no thumbprint has a colon, so its `kid` is nobody's. */
function newNode({ id, org, node, created_at: nowMs }: TokenRow, { groups, labels }: Ask): NodeRow {
  const capabilities = JSON.stringify(fleetCapabilities(node, org));
  return {
    ...{ node, org, kid: `http:${node}`, public_jwk: '', transport: 'http', token_id: id },
    labels: JSON.stringify(labels),
    enrolled_at: nowMs,
    ...{ revoked_at: null, agent_version: null, boot_id: null, process_id: null, connection: 0, started_at: null },
    ...{ last_seen_at: null, journal_epoch: null, journal_seq: 0, welcome_seq: 0, keys_version: 0 },
    ...{ former_processes: '[]', password_expires_at: 0, password_groups: JSON.stringify(groups) },
    ...{ capabilities, capabilities_sha256: sha256Hex(capabilities) },
  };
}

function toView(row: TokenRow): NodeTokenView {
  return { id: row.id, node: row.node, created_at: toTime(row.created_at), created_by: row.created_by };
}
