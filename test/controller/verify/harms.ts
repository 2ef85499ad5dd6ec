import assert from 'node:assert/strict';
import { appendAudit, auditHash } from '../../../controller/store/audit.js';
import type { Queries } from '../../../controller/store/database.js';
import { sha256Hex, signEnvelope } from '../../../protocol/envelope.js';
import { generateKeyPair } from '../../../runtime/key-file.js';
import type { Site } from '../../support/harmed-store.js';
import { payloadOf } from '../../support/scripted-agent.js';

/** What somebody does to the file of a controller that does not run, and what has to be found. */
export const HARMS: readonly Readonly<{
  what: string;
  harm: (tx: Queries, at: Site) => Promise<unknown>;
  found: RegExp;
}>[] = [
  {
    what: 'an altered audit row',
    harm: (tx) => tx.updateTable('audit').set({ actor: 'nobody' }).where('seq', '=', 3).execute(),
    found: /^audit_chain audit:3: it was altered/m,
  },
  {
    what: 'a removed audit row',
    harm: (tx) => tx.deleteFrom('audit').where('seq', '=', 3).execute(),
    found: /^audit_chain audit:4: row 3 is missing before it/m,
  },
  {
    what: 'the first audit rows removed',
    harm: (tx) => tx.deleteFrom('audit').where('seq', '<', 4).execute(),
    found: /^audit_chain audit:4: rows are missing before it, and no row says that they were let go/m,
  },
  {
    what: 'the last audit rows removed',
    harm: (tx, { last }) =>
      tx
        .deleteFrom('audit')
        .where('seq', '>', last - 2)
        .execute(),
    found: /^audit_head audit:\d+: the trail was signed up to it, and it is not there/m,
  },
  {
    what: 'all audit rows removed',
    harm: (tx) => tx.deleteFrom('audit').execute(),
    found: /^audit_head audit:\d+: the trail was signed up to it, and it is not there/m,
  },
  {
    what: 'two audit rows exchanged',
    harm: async (tx) => {
      const [third, fourth] = await tx
        .selectFrom('audit')
        .selectAll()
        .where('seq', 'in', [3, 4])
        .orderBy('seq')
        .execute();
      assert.ok(third !== undefined && fourth !== undefined);
      await tx.deleteFrom('audit').where('seq', 'in', [3, 4]).execute();
      await tx
        .insertInto('audit')
        .values([
          { ...third, seq: 4 },
          { ...fourth, seq: 3 },
        ])
        .execute();
    },
    found: /^audit_chain audit:3: it does not follow row 2/m,
  },
  {
    what: 'an audit row added at the end, with a hash that fits',
    harm: (tx) => appendAudit(tx, [{ atMs: 1, org: 'default', actor: 'eve', event: 'tested', subject: 'x' }]),
    found: /^audit_head audit:\d+: the trail was signed up to row \d+, and goes on without/m,
  },
  {
    what: 'an audit row added before the first',
    harm: async (tx) => {
      const first = await tx.selectFrom('audit').selectAll().orderBy('seq').executeTakeFirstOrThrow();
      const forged = { ...first, seq: -1 };
      await tx
        .insertInto('audit')
        .values({ ...forged, hash: auditHash(forged) })
        .execute();
    },
    found: /^audit_chain audit:1: row 0 is missing before it/m,
  },
  {
    what: 'a trail that was written anew from a row on, every hash fitting',
    harm: (tx) => rewrite(tx, 3),
    found: /^audit_head audit:\d+: it is not the row that was signed/m,
  },
  {
    what: 'a trail written anew and signed with another key',
    harm: async (tx, { last }) => {
      const hash = await rewrite(tx, 3);
      const head = JSON.stringify({ v: 1, seq: last, hash, at: '2026-01-01T00:00:00.000Z' });
      const jws = signEnvelope('muster-audit-head', head, generateKeyPair().signing);
      await tx.updateTable('meta').set({ value: jws }).where('key', '=', 'audit_head').execute();
    },
    found: /^audit_head audit: the signature of its end does not hold/m,
  },
  {
    what: 'the signature of the end removed',
    harm: (tx) => tx.deleteFrom('meta').where('key', '=', 'audit_head').execute(),
    found: /^audit_head audit:\d+: nobody has signed where the trail ends/m,
  },
  {
    what: 'a removed invocation with all that hangs on it',
    harm: async (tx, { id }) => {
      await tx.deleteFrom('results').execute();
      await tx.deleteFrom('executions').execute();
      await tx.deleteFrom('invocations').where('id', '=', id).execute();
    },
    found: /^audit_events invocation:\S+: row \d+ of the audit trail tells of it, and it is not there/m,
  },
  {
    what: 'a removed result',
    harm: (tx) => tx.deleteFrom('results').execute(),
    found: /^audit_events execution:\S+: row \d+ of the audit trail tells of it, and it is not there/m,
  },
  {
    what: 'a result whose octets were altered',
    harm: async (tx) => {
      const { jws } = await tx.selectFrom('results').select('jws').executeTakeFirstOrThrow();
      const [head, , signature] = jws.split('.');
      const payload = Buffer.from(JSON.stringify({ ...Object(payloadOf(jws)), exit_code: 3 }));
      const forged = `${head}.${payload.toString('base64url')}.${signature}`;
      await tx
        .updateTable('results')
        .set({ jws: forged, payload_sha256: sha256Hex(payload) })
        .execute();
    },
    found: /^results execution:\S+: it does not hold: the signature does not hold$/m,
  },
  {
    what: 'a result that another key signed, put in with that key',
    harm: async (tx) => {
      const { jws } = await tx.selectFrom('results').select('jws').executeTakeFirstOrThrow();
      const pair = generateKeyPair();
      const key = { kid: pair.public.kid, public_jwk: JSON.stringify(pair.public.jwk) };
      await tx
        .insertInto('node_keys')
        .values({ ...key, node: 'pump-1', org: 'default', enrolled_at: 1, revoked_at: null })
        .execute();
      const payload = JSON.stringify({ ...Object(payloadOf(jws)), stdout: 'forged' });
      const forged = signEnvelope('muster-result', payload, pair.signing);
      await tx
        .updateTable('results')
        .set({ jws: forged, payload_sha256: sha256Hex(payload) })
        .execute();
    },
    found: /^audit_events execution:\S+: row \d+ of the audit trail tells of another result/m,
  },
  {
    what: 'a result put to others than those that are like it',
    harm: (tx) => tx.updateTable('results').set({ exit_code: 1 }).execute(),
    found: /^results execution:\S+: it is grouped with others than those that are like it/m,
  },
  {
    what: 'the octets of a request altered',
    harm: (tx) => tx.updateTable('requests').set({ payload: '{}' }).execute(),
    found: /^requests execution:\S+: the octets of its request were altered/m,
  },
  {
    what: 'the parameters of an invocation altered',
    harm: (tx) => tx.updateTable('invocations').set({ parameters: '{"target":"eve"}' }).execute(),
    found: /^requests execution:\S+: its request asks for something else than its invocation/m,
  },
  {
    what: 'a request exchanged for another, with its hash',
    harm: async (tx) => {
      const { payload } = await tx.selectFrom('requests').select('payload').executeTakeFirstOrThrow();
      const forged = JSON.stringify({ ...Object(JSON.parse(payload)), action: 'reboot' });
      const sha256 = sha256Hex(forged);
      await tx.updateTable('requests').set({ payload: forged, sha256 }).execute();
      await tx
        .updateTable('executions')
        .set({ request_sha256: sha256 })
        .where('request_sha256', 'is not', null)
        .execute();
    },
    found:
      /^requests execution:\S+: its request asks for something else than its invocation[\s\S]*^results execution:\S+: it answers another request/m,
  },
  {
    what: 'a piece of output altered',
    harm: (tx) => tx.updateTable('outputs').set({ data: 'forged' }).execute(),
    found: /^results execution:\S+: its stdout is not what the node has signed/m,
  },
  {
    what: 'a request removed',
    harm: (tx) => tx.deleteFrom('requests').execute(),
    found: /^executions execution:\S+: the request that it names is not there/m,
  },
  {
    what: 'a success made a failure',
    harm: (tx) => tx.updateTable('executions').set({ status: 'failed' }).where('status', '=', 'success').execute(),
    found:
      /^executions execution:\S+: it is failed, and its result says success[\s\S]*^invocations invocation:\S+: it is completed, and its executions come to failed/m,
  },
  {
    what: 'an ended execution opened again',
    harm: (tx) => tx.updateTable('executions').set({ open: 1 }).where('status', '=', 'success').execute(),
    found: /^executions execution:\S+: it is success and marked open/m,
  },
  {
    what: 'an invocation that says another end',
    harm: (tx) => tx.updateTable('invocations').set({ status: 'failed' }).where('status', '=', 'completed').execute(),
    found: /^invocations invocation:\S+: it is failed, and its executions come to completed/m,
  },
  {
    what: 'an invocation put in, with executions that are to be offered',
    harm: (tx) => putIn(tx, {}),
    found: /^audit_events invocation:0eve: no row of the audit trail tells of it/m,
  },
  {
    what: 'an invocation put in with a time that is still to come',
    harm: (tx) => putIn(tx, { created_at: Date.now() + 3_600_000 }),
    found: /^audit_events invocation:0eve: no row of the audit trail tells of it/m,
  },
  {
    what: 'a user put in',
    harm: (tx) =>
      tx
        .insertInto('users')
        .values({ ...EVE, role: 'admin' })
        .execute(),
    found: /^access user:eve: no row of the audit trail tells of it/m,
  },
  {
    what: 'a user given another role',
    harm: (tx) => tx.updateTable('users').set({ role: 'owner' }).where('id', '=', 'ann').execute(),
    found: /^access user:ann: the role is owner, and the trail says operator/m,
  },
  {
    what: 'a user let in again',
    harm: (tx) => tx.updateTable('users').set({ disabled_at: null }).where('id', '=', 'ben').execute(),
    found: /^access user:ben: the trail says otherwise whether it may log in/m,
  },
  {
    what: 'a user given another password',
    harm: (tx) => tx.updateTable('users').set({ password_hash: 'scrypt$1' }).where('id', '=', 'ann').execute(),
    found: /^access user:ann: it has another password than the one that the trail tells of/m,
  },
  {
    what: 'a token put in',
    harm: async (tx) => {
      const token = await tx.selectFrom('api_tokens').selectAll().executeTakeFirstOrThrow();
      await tx
        .insertInto('api_tokens')
        .values({ ...token, id: 'eve' })
        .execute();
    },
    found: /^access token:eve: no row of the audit trail tells of it/m,
  },
  {
    what: 'a token that may do more',
    harm: (tx) => tx.updateTable('api_tokens').set({ role: 'owner' }).execute(),
    found: /^access token:\w+: it may do other things than the trail says/m,
  },
  {
    what: 'a token with another secret',
    harm: (tx) =>
      tx
        .updateTable('api_tokens')
        .set({ secret_sha256: sha256Hex('eve') })
        .execute(),
    found: /^access token:\w+: it has another secret than the one that the trail tells of/m,
  },
  {
    what: 'a token of a node put in',
    harm: (tx) =>
      tx
        .insertInto('node_tokens')
        .values({ id: 'eve', org: 'default', node: 'kiosk-7', secret_sha256: 'x', created_at: 1, created_by: 'eve' })
        .execute(),
    found: /^access node_token:eve: no row of the audit trail tells of it/m,
  },
  {
    what: 'an enrollment token with more uses',
    harm: (tx) => tx.updateTable('enrollment_tokens').set({ uses_left: 1_000 }).execute(),
    found: /^access enrollment_token:\w+: it lets in more than the trail says/m,
  },
  {
    what: 'another key as that of a node, under the thumbprint of the first',
    harm: (tx) =>
      tx
        .updateTable('nodes')
        .set({ public_jwk: JSON.stringify(generateKeyPair().public.jwk) })
        .where('node', '=', 'pump-1')
        .execute(),
    found: /^access node:pump-1: its key is another one than the thumbprint beside it says/m,
  },
  {
    what: 'another key as that of a node',
    harm: (tx) => {
      const { kid, jwk } = generateKeyPair().public;
      const key = { kid, public_jwk: JSON.stringify(jwk) };
      return tx.updateTable('nodes').set(key).where('node', '=', 'pump-1').execute();
    },
    found: /^access node:pump-1: no row of the audit trail tells of its key/m,
  },
  {
    what: 'a removed node made one again',
    harm: (tx) => tx.updateTable('nodes').set({ revoked_at: null }).where('node', '=', 'gone-1').execute(),
    found: /^access node:gone-1: a key of it is believed, and the trail says otherwise/m,
  },
  {
    what: 'a policy altered',
    harm: (tx) => tx.updateTable('policies').set({ document: '{}' }).execute(),
    found: /^access policy:1: it was altered: its hash does not fit it/m,
  },
  {
    what: 'a policy put in the place of the one in force',
    harm: (tx) =>
      tx
        .updateTable('policies')
        .set({ document: '{}', sha256: sha256Hex('{}') })
        .execute(),
    found: /^access policy:1: the audit trail tells of another one/m,
  },
  {
    what: 'the policy in force removed',
    harm: (tx) => tx.deleteFrom('policies').execute(),
    found: /^access policy:1: the audit trail tells of it, and it is not there/m,
  },
  {
    what: 'an invocation that says it was another action',
    harm: (tx) => tx.updateTable('invocations').set({ action: 'gather_info' }).execute(),
    found: /^audit_events invocation:\S+: row \d+ of the audit trail tells of another ask/m,
  },
];

async function putIn(tx: Queries, changes: Readonly<{ created_at?: number }>): Promise<void> {
  const row = await tx.selectFrom('invocations').selectAll().executeTakeFirstOrThrow();
  const execution = await tx.selectFrom('executions').selectAll().executeTakeFirstOrThrow();
  await tx
    .insertInto('invocations')
    .values({ ...row, id: '0eve', total: 1, status: 'approved', completed_at: null, ...changes })
    .execute();
  await tx
    .insertInto('executions')
    .values({
      ...execution,
      execution_id: '0eve',
      invocation_id: '0eve',
      ...{ status: 'queued', open: 1, request_sha256: null, sent_at: null, accepted_at: null, ended_at: null },
    })
    .execute();
}

const EVE = { org: 'default', id: 'eve', password_hash: null, created_at: 1, created_by: 'eve', disabled_at: null };

/** Writes the trail anew from a row on, as if somebody else had done it; gives the new hash of the last row. */
async function rewrite(tx: Queries, from: number): Promise<string> {
  const rows = await tx.selectFrom('audit').selectAll().orderBy('seq').execute();
  let previous = rows[from - 2]?.hash ?? '';
  for (const row of rows.slice(from - 1)) {
    const forged = { ...row, actor: 'eve', prev_hash: previous };
    previous = auditHash(forged);
    await tx
      .updateTable('audit')
      .set({ ...forged, hash: previous })
      .where('seq', '=', row.seq)
      .execute();
  }
  return previous;
}
