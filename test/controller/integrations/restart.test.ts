import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endAction } from '../../../controller/integrations/end-action.js';
import { createVault } from '../../../controller/integrations/vault.js';
import { verifyStore } from '../../../controller/verify/run.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { allowRows, auditRows, refuseRows } from '../../support/audit-rows.js';
import { OWNER } from '../../support/core.js';
import { startIntegrations } from '../../support/integrations.js';
import { assertProblemOf } from '../../support/problems.js';
import { startStandIn } from '../../support/stand-in.js';
import { until } from '../../support/until.js';

const ASK = { target: { integration: 'sentry' }, parameters: { issue: '1' }, confirm: false };
const REQUEST = { bodySha256: '0'.repeat(64) };

test('a controller that ends in the middle of an action gives it a definite end at its next start, and never runs it again', async (t) => {
  const sentry = await startStandIn(t, () => 'hang');
  const { muster, add } = await startIntegrations(t);
  await add('sentry', sentry.url);
  const { integrations } = muster.core.services;
  const { invocation } = await integrations.invoke(OWNER, { ...ASK, action: 'update_issue' }, REQUEST);
  assert.equal(invocation.status, 'executing');
  await until(() => sentry.requests.length === 1, { what: 'the request' });

  await muster.stop();
  await muster.start();

  const after = await muster.core.services.invocations.get('default', invocation.id);
  assert.deepEqual([after?.status, after?.error_code], ['failed', 'outcome_unknown']);
  assert.match(after?.error ?? '', /whether it was done is not known/);
  assert.equal(sentry.requests.length, 1);
  assert.equal((await auditRows(muster.store, 'action_ended')).length, 1);
  assert.deepEqual((await verifyAll(muster)).findings, []);
});

test('a controller that stops waits for an action for a while, then ends it', async (t) => {
  const sentry = await startStandIn(t, () => 'hang');
  const { muster, add } = await startIntegrations(t);
  await add('sentry', sentry.url);
  const { integrations, invocations } = muster.core.services;
  const { invocation } = await integrations.invoke(OWNER, { ...ASK, action: 'get_issue' }, REQUEST);
  await until(() => sentry.requests.length === 1, { what: 'the request' });

  await muster.core.drain();

  const after = await invocations.get('default', invocation.id);
  assert.deepEqual([after?.status, after?.error_code], ['failed', 'outcome_unknown']);
});

test('an action ends once: what comes later changes nothing', async (t) => {
  const sentry = await startStandIn(t, () => ({ json: { id: '1' } }));
  const { muster, add, ask, read } = await startIntegrations(t);
  await add('sentry', sentry.url);
  const { answer } = await ask('sentry', 'get_issue', { issue: '1' });
  const end = { kind: 'failed', code: 'integration_failed', error: 'late' } as const;

  const { id } = answer.invocation;
  const isEnded = await muster.store.write((tx) => endAction(tx, { id, org: 'default' }, { end, nowMs: Date.now() }));

  assert.equal(isEnded, false);
  assert.deepEqual(await read(id), answer);
});

test('more than 64 calls at once are refused and not queued, and reading what is there goes on', async (t) => {
  const sentry = await startStandIn(t, () => 'hang');
  const { muster, add, askRaw, call, people } = await startIntegrations(t);
  const { integrations } = muster.core.services;
  for (const integration of ['a', 'b', 'c', 'd', 'e']) {
    await add('sentry', sentry.url, { name: integration });
    const ask = { ...ASK, target: { integration }, action: 'get_issue' };
    for (let at = 0; at < 16 && integration !== 'e'; at += 1) await integrations.invoke(OWNER, ask, REQUEST);
  }

  await assertProblemOf(await askRaw('e', 'get_issue', { parameters: ASK.parameters }), 429, 'too_many_open');

  const { status } = await call('GET', '/api/v1/invocations', { token: people.viewer });
  assert.equal(status, 200);
});

test('what is committed while the controller stops is not sent any more, and ends', async (t) => {
  const sentry = await startStandIn(t, () => ({ json: {} }));
  const { muster, add } = await startIntegrations(t);
  await add('sentry', sentry.url);
  const { integrations, invocations } = muster.core.services;

  await muster.core.drain();
  const { invocation } = await integrations.invoke(OWNER, { ...ASK, action: 'get_issue' }, REQUEST);

  const after = await invocations.whenDone('default', invocation.id, { ms: 10_000 });
  assert.deepEqual([after?.status, after?.error_code, sentry.requests.length], ['failed', 'outcome_unknown', 0]);
});

test('A-66, S-A-30: an action ends when its time is over', async (t) => {
  const sentry = await startStandIn(t, () => 'hang');
  const { add, ask } = await startIntegrations(t, { config: { integration_timeout: '100ms' } });
  await add('sentry', sentry.url);

  const { error, error_code } = (await ask('sentry', 'get_issue', { issue: '1' })).answer.invocation;

  assert.deepEqual([error, error_code], ['sentry did not answer in time', 'integration_failed']);
});

test('an end that the store does not take is kept until it does', async (t) => {
  let answer: (() => void) | undefined;
  const sentry = await startStandIn(
    t,
    () =>
      new Promise((resolve) => {
        answer = () => resolve({ json: { id: '1' } });
      }),
  );
  const lines: string[] = [];
  const log = createLogger('controller', { destination: { write: (line) => void lines.push(line) } });
  const { muster, add } = await startIntegrations(t, { log });
  await add('sentry', sentry.url);
  const { integrations, invocations } = muster.core.services;
  const { invocation } = await integrations.invoke(OWNER, { ...ASK, action: 'get_issue' }, REQUEST);
  await until(() => answer, { what: 'the request' });

  await refuseRows(muster.store);
  answer?.();
  await until(() => lines.some((line) => line.includes('end of an action not stored')), {
    what: 'a commit that fails',
  });
  await allowRows(muster.store);

  const after = await invocations.whenDone('default', invocation.id, { ms: 10_000 });
  assert.equal(after?.status, 'completed');
  assert.deepEqual((await invocations.resultOf('default', invocation.id))?.result, { id: '1' });
  assert.equal(sentry.requests.length, 1);
});

test('muster verify finds an end that was altered', async (t) => {
  const sentry = await startStandIn(t, () => ({ status: 500 }));
  const { muster, add, ask } = await startIntegrations(t);
  await add('sentry', sentry.url);
  const { id } = (await ask('sentry', 'get_issue', { issue: '1' })).answer.invocation;

  await muster.store.write((tx) =>
    tx.updateTable('invocations').set({ status: 'completed', error: null, error_code: null }).execute(),
  );

  const { findings } = await verifyAll(muster);
  assert.deepEqual(
    findings.map(({ subject, detail }) => [subject, /says failed, and it is completed$/.test(detail)]),
    [[`invocation:${id}`, true]],
  );
});

test('muster verify finds a result that was altered, and a credential that was exchanged', async (t) => {
  const sentry = await startStandIn(t, () => ({ json: { id: '1' } }));
  const { muster, add, ask } = await startIntegrations(t);
  await add('sentry', sentry.url);
  await ask('sentry', 'get_issue', { issue: '1' });
  assert.deepEqual((await verifyAll(muster)).findings, []);

  await muster.store.write(async (tx) => {
    await tx.updateTable('integration_results').set({ result: '{"id":"2"}' }).execute();
    await tx.updateTable('integrations').set({ sealed: 'v1.x.y.z.0' }).execute();
  });

  const found = (await verifyAll(muster)).findings.map(({ check }) => check);
  assert.deepEqual(found.sort(), ['access', 'results']);
});

test('retention lets go of what an integration answered', async (t) => {
  const sentry = await startStandIn(t, () => ({ json: { id: '1' } }));
  const { muster, add, ask } = await startIntegrations(t, { config: { retention_count: 1 } });
  await add('sentry', sentry.url);
  for (const issue of ['1', '2']) await ask('sentry', 'get_issue', { issue });
  const twoDaysAgoMs = SYSTEM_CLOCK.nowMs() - 2 * 24 * 3_600_000;
  await muster.store.write((tx) => tx.updateTable('invocations').set({ expires_at: twoDaysAgoMs }).execute());

  await muster.core.tidy();

  const left = await muster.store.read.selectFrom('integration_results').select('invocation_id').execute();
  assert.equal(left.length, 1);
  assert.deepEqual((await verifyAll(muster)).findings, []);
});

function verifyAll({ directory, store, keyring }: Awaited<ReturnType<typeof startIntegrations>>['muster']) {
  const { clock } = { clock: SYSTEM_CLOCK };
  const keyOf = (kid: string) => keyring.keys.list.keys.get(kid);
  return verifyStore({
    read: store.read,
    keyOf,
    vault: createVault(directory),
    clock,
    beforeMs: clock.nowMs() - 10_000,
  });
}
