import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { VAULT_KEY_FILE } from '../../../controller/integrations/vault.js';
import { readStoredResult } from '../../../controller/invocations/views.js';
import { appendAudit } from '../../../controller/store/audit.js';
import { readEvents } from '../../../controller/store/events.js';
import { findResult } from '../../../controller/store/results.js';
import { sha256Hex, signEnvelope } from '../../../protocol/envelope.js';
import { createSecrets, type Secrets } from '../../../runtime/masking/mask.js';
import type { TestScope } from '../../support/broker.js';
import { type CoreWithNode, startCoreWithNode } from '../../support/core-with-node.js';
import type { Offered } from '../../support/scripted-agent.js';
import { until } from '../../support/until.js';

const VALUE = 's3cr3t-of-the-controller';
/** Shorter than the mark. */
const SHORT = 'hunter22';
const BASE64 = Buffer.from(`user:${VALUE}`).toString('base64');

test('promise 22: a signed result is stored and shown without a registered value, and still verifies', async (t) => {
  const stage = await startStage(t);
  const { services, agent, offer, whenDone } = stage;
  const { id, offered } = await offer();
  const stdout = `password: ${VALUE}\n`;

  await agent.result(offered, {
    ...{ status: 'error', error_code: 'internal', error: `no login with ${encodeURIComponent(VALUE)}` },
    ...{ stdout, stdout_bytes: stdout.length, stdout_sha256: sha256Hex(stdout) },
    ...{ stderr: Buffer.from(`\xff${VALUE}`, 'latin1').toString('base64'), stderr_encoding: 'base64' },
  });
  await whenDone(id);

  const shown = await services.invocations.execution('default', id, agent.node);
  assert.equal(shown?.stdout, 'password: [redacted]\n');
  assert.equal(shown?.error, 'no login with [redacted]');
  assert.equal(Buffer.from(shown?.stderr ?? '', 'base64').toString('latin1'), '\xff[redacted]');
  const output = await services.invocations.outputOf('default', id, { node: agent.node, stream: 'stdout' });
  assert.deepEqual([output?.bytes.toString(), output?.complete], ['password: [redacted]\n', true]);
  assertClean(await everything(stage));
  assert.deepEqual(await findingsOf(stage), []);
});

test('promise 22: who alters what is shown of a masked result, or its sealed original, is found', async (t) => {
  const stage = await startStage(t);
  const { muster, agent, offer, whenDone } = stage;
  const { id, offered } = await offer();
  const stdout = `one ${VALUE} two`;
  await agent.result(offered, { stdout, stdout_bytes: stdout.length, stdout_sha256: sha256Hex(stdout) });
  await whenDone(id);
  const { execution_id: executionId } = offered.request;
  const key = { executionId, node: agent.node };
  const row = await findResult(muster.store.read, key);
  assert.ok(row?.sealed != null);

  const payload = JSON.stringify({ ...readStoredResult(row), stdout: 'one [redacted] three' });
  const jws = `.${Buffer.from(payload).toString('base64url')}.`;
  await muster.store.write((tx) => tx.updateTable('results').set({ jws }).execute());
  assert.match((await findingsOf(stage)).join(), /what is shown of it is not what the node has signed/);

  const sealed = `${row.sealed.slice(0, -8)}AAAAAAAA`;
  await muster.store.write((tx) => tx.updateTable('results').set({ jws: row.jws, sealed }).execute());
  assert.match((await findingsOf(stage)).join(), /altered in the store/);
});

test('promise 22: a value that is cut into pieces of output stands in none of them, nor in what is put together', async (t) => {
  const stage = await startStage(t);
  const { services, agent, offer, whenDone } = stage;
  const { id, offered } = await offer({ stream: true });
  const text = `begin ${VALUE}, ${BASE64} and ${VALUE.slice(0, 6)} end`;
  const say = sayer(stage, offered);

  for (const [seq, data] of [...text].entries()) {
    await say({ seq, data, offset: seq, last: seq + 1 === text.length });
    assertClean(await everything(stage));
    const { bytes } =
      (await services.invocations.outputOf('default', id, { node: agent.node, stream: 'stdout' })) ?? {};
    assert.doesNotMatch(bytes?.toString() ?? '', /s3cr3t-o/);
  }
  await agent.result(offered, {
    ...{ chunks: text.length, stdout: text, stdout_bytes: text.length, stdout_sha256: sha256Hex(text) },
  });
  await whenDone(id);

  const output = await services.invocations.outputOf('default', id, { node: agent.node, stream: 'stdout' });
  assert.match(output?.bytes.toString() ?? '', /^begin \[redacted\], \S+\[redacted\]\S* and s3cr3t end$/);
  assert.equal(output?.complete, true);
  assert.deepEqual(await findingsOf(stage), []);
  assertClean(await everything(stage));
});

test('a piece that comes before its turn is asked for again while values are masked', async (t) => {
  const stage = await startStage(t);
  const { services, agent, offer } = stage;
  const { id, offered } = await offer({ stream: true });
  const say = sayer(stage, offered);
  const read = async () =>
    (await services.invocations.outputOf('default', id, { node: agent.node, stream: 'stdout' }))?.bytes.toString();

  await say({ seq: 1, data: `${VALUE.slice(10)}>`, offset: 11, last: true });
  await say({ seq: 0, data: `<${VALUE.slice(0, 10)}`, offset: 0, last: false });
  assert.equal(await read(), '<');

  await say({ seq: 1, data: `${VALUE.slice(10)}>`, offset: 11, last: true });
  assert.equal(await read(), '<[redacted]>');
});

test('promise 22: what a person types is masked in audit rows and events, and the node gets it as it is', async (t) => {
  const stage = await startStage(t);
  const { muster, offer } = stage;

  const { offered } = await offer({ parameters: { text: VALUE }, reason: `since ${VALUE}` });
  await muster.store.write(async (tx) => {
    const entry = { atMs: 1, org: 'default', actor: `user:${VALUE}`, event: 'tested', subject: `thing:${VALUE}` };
    await appendAudit(tx, [{ ...entry, details: { name: `is ${VALUE}` } }]);
    const head = { type: 'action_approval_request', invocationId: 'x', integration: 'x', action: 'x' } as const;
    const event = { ...head, riskLevel: 'write', params: { deep: [VALUE] }, expiresAt: '' } as const;
    tx.tell({ org: 'default', event });
  });

  assert.equal(offered.request.parameters.text, VALUE);
  const audit = await muster.store.read.selectFrom('audit').selectAll().execute();
  const events = await readEvents(muster.store.read, 0);
  assertClean(JSON.stringify([audit, events]));
});

test('promise 22: a mark that is longer than its value is shown whole, and verify takes the record for honest', async (t) => {
  const stage = await startStage(t);
  const { services, agent, offer, whenDone } = stage;
  const { id, offered } = await offer();

  await agent.result(offered, { status: 'error', error_code: 'internal', error: `no login with ${SHORT}` });
  await whenDone(id);

  const shown = await services.invocations.execution('default', id, agent.node);
  assert.equal(shown?.error, 'no login with [redacted]');
  assert.deepEqual(await findingsOf(stage), []);
});

test('a piece goes on with what was held back when the one before it was stored, whatever is registered since', async (t) => {
  const secrets = createSecrets();
  secrets.register('test', ['of-something-else']);
  const stage = await startStage(t, secrets);
  const { services, agent, offer } = stage;
  const { id, offered } = await offer({ stream: true });
  const say = sayer(stage, offered);
  const first = { seq: 0, data: `abc ${VALUE.slice(0, 5)}`, offset: 0, last: false };

  await say(first);
  secrets.register('test', [VALUE]);
  await Promise.all([say(first), say({ seq: 1, data: 'xyz', offset: 9, last: true })]);

  const output = await services.invocations.outputOf('default', id, { node: agent.node, stream: 'stdout' });
  assert.equal(output?.bytes.toString(), `abc ${VALUE.slice(0, 5)}xyz`);
});

test('what was held back and does not open any more keeps nothing else out of the store', async (t) => {
  const stage = await startStage(t);
  const { muster, services, agent, offer } = stage;
  const { id, offered } = await offer({ stream: true });
  const say = sayer(stage, offered);

  await say({ seq: 0, data: `<${VALUE.slice(0, 5)}`, offset: 0, last: false });
  writeFileSync(join(muster.directory, VAULT_KEY_FILE), randomBytes(32).toString('base64'));
  await say({ seq: 1, data: '>', offset: 6, last: true });

  const output = await services.invocations.outputOf('default', id, { node: agent.node, stream: 'stdout' });
  assert.equal(output?.bytes.toString(), '<>');
});

test('promise 22: an announcement in which a registered value names a hook counts without that hook, and it is said', async (t) => {
  const stage = await startStage(t);
  const { agent, services } = stage;
  const hook = { description: '', parameters: [], source: 'local', checksum: 'a'.repeat(64), sandbox: 'none' };

  await agent.announceAs({ hooks: [VALUE, 'deploy'].map((name) => ({ ...hook, name })) });
  const seen = await until(
    async () => {
      const text = JSON.stringify(await services.nodes.get('default', agent.node));
      return text.includes('"deploy"') ? text : undefined;
    },
    { what: 'the other hook' },
  );

  assert.match(seen, /"hooks_left_out":1/);
  assert.match((await services.metrics()).body, /^muster_controller_offers_hidden_total 1$/m);
  assertClean(await everything(stage));
});

async function startStage(t: TestScope, secrets = secretsOf(VALUE, SHORT)): Promise<CoreWithNode> {
  const parameters = [{ name: 'text', type: 'string', required: false, description: '' }] as const;
  const actions = [{ name: 'ping', description: `answers ${VALUE}`, parameters: [...parameters] }];
  return startCoreWithNode(t, { secrets, script: { actions } });
}

function secretsOf(...values: string[]): Secrets {
  const secrets = createSecrets();
  secrets.register('test', values);
  return secrets;
}

/** All that the store holds and the API would show of it. */
async function everything({ muster: { store }, services }: CoreWithNode): Promise<string> {
  const tables = ['results', 'outputs', 'nodes', 'audit', 'events'] as const;
  const rows = await Promise.all(tables.map((table) => store.read.selectFrom(table).selectAll().execute()));
  return JSON.stringify([rows, await services.nodes.get('default', 'pump-1')]);
}

function assertClean(text: string): void {
  for (const spelled of [VALUE, BASE64.slice(8, 30), Buffer.from(VALUE).toString('base64url').slice(0, 20)]) {
    assert.ok(
      !text.includes(spelled),
      `${spelled} in ${text.slice(Math.max(0, text.indexOf(spelled) - 200)).slice(0, 400)}`,
    );
  }
  for (const payload of text.matchAll(/\.([A-Za-z0-9_-]{40,})\./g)) {
    assert.doesNotMatch(Buffer.from(payload[1] ?? '', 'base64url').toString('latin1'), new RegExp(VALUE));
  }
}

async function findingsOf({ services }: CoreWithNode): Promise<string[]> {
  const { findings } = await services.audit.verify({});
  return findings.map(({ subject, detail }) => `${subject}: ${detail}`);
}

type Piece = Readonly<{ seq: number; data: string; offset: number; last: boolean }>;

/** Hands the controller a piece as its connection does, and waits until it is stored. */
function sayer({ muster, agent }: Pick<CoreWithNode, 'muster' | 'agent'>, { request }: Offered) {
  const { node, keys } = agent;
  return async (piece: Piece): Promise<void> => {
    const about = { v: 1, execution_id: request.execution_id, node, org: 'default' };
    const output = { ...about, ...piece, stream: 'stdout', encoding: 'utf-8' };
    const payload = Buffer.from(signEnvelope('muster-output', JSON.stringify(output), keys.signing));
    muster.core.ingest.take({ kind: 'output', levels: { node }, payload });
    await muster.core.ingest.drained();
  };
}
