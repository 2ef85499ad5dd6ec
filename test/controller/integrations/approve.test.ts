import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvocationAnswer } from '../../../controller/http/schemas.js';
import { createAdapters } from '../../../controller/integrations/adapters/list.js';
import { SENTRY } from '../../../controller/integrations/adapters/sentry.js';
import { openEvents } from '../../support/events.js';
import { startIntegrations } from '../../support/integrations.js';
import { setPolicy } from '../../support/policies.js';
import { assertProblemOf } from '../../support/problems.js';
import { type Reply, startStandIn } from '../../support/stand-in.js';
import { createPassingClock } from '../../support/test-clock.js';

const FIVE_MINUTES_MS = 300_000;
const PARAMETERS = { issue: '4711', status: 'resolved', assignedTo: 'ann' };

test('A-4, A-10, A-19, A-36, A-80, A-83, A-84, A-87, A-88, A-89, S-A-3, S-A-13, S-A-24: a write waits for a person, then does what was asked and nothing else', async (t) => {
  const { stage, sentry, invocation, status } = await startWaiting(t);
  const stream = await openEvents(t, { url: stage.url, token: stage.people.viewer });
  const { answer } = await stage.ask('sentry', 'update_issue', { ...PARAMETERS, issue: '2' }, stage.people.operator);
  const request = await stream.next('action_approval_request');
  assert.deepEqual([status, invocation.status], [202, 'pending']);
  assert.equal(Date.parse(invocation.expires_at) - Date.parse(invocation.created_at), FIVE_MINUTES_MS);
  const { invocationId, integration, action, riskLevel, params, expiresAt } = request;
  assert.deepEqual(
    [invocationId, integration, action, riskLevel],
    [answer.invocation.id, 'sentry', 'update_issue', 'write'],
  );
  assert.deepEqual([params, expiresAt], [{ ...PARAMETERS, issue: '2' }, answer.invocation.expires_at]);
  assert.equal(sentry.requests.length, 0);

  const approved = await stage.decide('approve', answer.invocation);

  const after = InvocationAnswer.parse(approved.body);
  assert.deepEqual([approved.status, after.invocation.status, after.result], [200, 'completed', { id: '4711' }]);
  assert.deepEqual([after.invocation.approved_by, after.invocation.approved_at === null], ['the-admin', false]);
  const { method, path, body } = sentry.last();
  assert.deepEqual([method, path, body], ['PUT', '/issues/2/', { status: 'resolved', assignedTo: 'ann' }]);
  const result = await stream.next('action_approval_result');
  assert.deepEqual([result.status, result.approvedBy], ['approved', 'the-admin']);
  const completed = await stream.next('action_completed');
  assert.deepEqual(
    [completed.invocationId, completed.status, completed.result],
    [answer.invocation.id, 'completed', { id: '4711' }],
  );
  assert.equal(sentry.requests.length, 1, 'the other one still waits');
});

test('A-85, S-A-17: a write that fails after its approval is failed, with the words of the system', async (t) => {
  const { stage, invocation } = await startWaiting(t, { status: 409, json: { detail: 'Already resolved' } });
  const stream = await openEvents(t, { url: stage.url, token: stage.people.viewer });

  const after = InvocationAnswer.parse((await stage.decide('approve', invocation)).body);

  assert.deepEqual(
    [after.invocation.status, after.invocation.error],
    ['failed', 'sentry answered 409: Already resolved'],
  );
  const { status, error } = await stream.next('action_completed');
  assert.deepEqual([status, error], ['failed', 'sentry answered 409: Already resolved']);
});

test('A-38, A-56, S-A-18: what is denied asks nothing, and waits no more', async (t) => {
  const { stage, sentry, invocation } = await startWaiting(t);
  const { status, body } = await stage.decide('deny', invocation);
  assert.deepEqual([status, Object(body).invocation.status], [200, 'denied']);
  await assertProblemOf(await stage.decide('approve', invocation), 409, 'conflict');
  assert.equal(sentry.requests.length, 0);
});

test('of ten approvals at once one counts, and what was asked is done once', async (t) => {
  const { stage, sentry, invocation } = await startWaiting(t);

  const answers = await Promise.all(Array.from({ length: 10 }, () => stage.decide('approve', invocation)));

  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, ...Array.from({ length: 9 }, () => 409)]);
  assert.equal(sentry.requests.length, 1);
});

test('A-82, S-A-14: who may only ask does not approve', async (t) => {
  const { stage, invocation } = await startWaiting(t);
  await assertProblemOf(await stage.decide('approve', invocation, stage.people.operator), 403, 'forbidden');
  await assertProblemOf(await stage.decide('approve', { ...invocation, digest: '0'.repeat(64) }), 409, 'conflict');
});

test('A-37, A-107, S-A-15, S-A-16: after five minutes nobody approves it any more', async (t) => {
  const clock = createPassingClock();
  const { stage, sentry, invocation } = await startWaiting(t, undefined, { clock });
  clock.advance(FIVE_MINUTES_MS);
  await assertProblemOf(await stage.decide('approve', invocation), 410, 'expired');
  assert.equal((await stage.read(invocation.id)).invocation.status, 'expired');
  assert.equal(sentry.requests.length, 0);
});

test('A-15, A-32, S-A-21: an integration that was removed meanwhile fails what is approved, and its name stays on record', async (t) => {
  const { stage, sentry, invocation } = await startWaiting(t);
  await stage.call('DELETE', '/api/v1/integrations/sentry', { token: stage.people.admin });
  // One of the same name is another one.
  await stage.add('sentry', sentry.url);

  const after = InvocationAnswer.parse((await stage.decide('approve', invocation)).body).invocation;

  assert.deepEqual([after.status, after.error_code], ['failed', 'integration_gone']);
  assert.equal(after.error, 'Integration no longer available');
  assert.deepEqual(after.target, { integration: 'sentry' });
  const row = await stage.muster.store.read.selectFrom('invocations').selectAll().executeTakeFirstOrThrow();
  assert.deepEqual([row.integration, row.integration_id], ['sentry', null]);
  assert.equal(sentry.requests.length, 0);
});

test('A-115, S-A-34: an integration that is switched off is offered to nobody, refuses asks, and fails what waited', async (t) => {
  const { stage, invocation } = await startWaiting(t);
  const off = await stage.call('PATCH', '/api/v1/integrations/sentry', {
    token: stage.people.admin,
    body: { status: 'disabled' },
  });
  assert.equal(off.status, 200);

  const { services } = stage.muster.core;
  assert.deepEqual(await services.integrations.available('default'), []);
  await assertProblemOf(
    await stage.askRaw('sentry', 'get_issue', { parameters: { issue: '1' } }),
    422,
    'unknown_integration',
  );
  const after = InvocationAnswer.parse((await stage.decide('approve', invocation)).body).invocation;
  assert.deepEqual([after.status, after.error_code], ['failed', 'integration_gone']);
});

test('S-A-22: a policy that denies it by now ends what waits, and the approver is told', async (t) => {
  const { stage, sentry, invocation } = await startWaiting(t);
  await setPolicy(stage.muster, { risks: [{ actions: ['sentry/*'], risk: 'danger' }] });

  await assertProblemOf(await stage.decide('approve', invocation), 409, 'conflict');

  const { status, error } = (await stage.read(invocation.id)).invocation;
  assert.equal(status, 'denied');
  assert.match(error ?? '', /^policy_revalidated_deny: /);
  assert.equal(sentry.requests.length, 0);
});

test('S-A-42: what is defined otherwise by now is not done, and the approver is told to look again', async (t) => {
  const adapters = new Map(createAdapters());
  const { stage, sentry, invocation } = await startWaiting(t, undefined, { adapters });
  const actions = SENTRY.actions.map((each) => ({ ...each, fingerprint: `${each.fingerprint} changed` }));
  adapters.set('sentry', { ...SENTRY, actions });

  const { detail } = await assertProblemOf(await stage.decide('approve', invocation), 409, 'conflict');

  assert.match(detail, /changed since it was asked/);
  assert.equal(sentry.requests.length, 0);
});

test('S-A-4: the eleventh write that would wait is refused, while reading goes on', async (t) => {
  const { stage } = await startWaiting(t);
  const token = stage.people.operator;
  for (let at = 2; at <= 10; at += 1) await stage.ask('sentry', 'update_issue', PARAMETERS, token);

  await assertProblemOf(
    await stage.askRaw('sentry', 'update_issue', { parameters: PARAMETERS, token }),
    429,
    'too_many_pending',
  );
  assert.equal((await stage.ask('sentry', 'get_issue', { issue: '1' }, token)).answer.invocation.status, 'completed');
});

test('C-21: parameters that are secrets by their names are for approvers alone, and go out as they were given', async (t) => {
  const { stage, sentry, invocation } = await startWaiting(t);
  const id = invocation.id;
  await stage.muster.store.write((tx) =>
    tx
      .updateTable('invocations')
      .set({ parameters: JSON.stringify({ ...PARAMETERS, nested: { api_key: 'canary' } }) })
      .where('id', '=', id)
      .execute(),
  );

  const seenBy = async (token: string) => JSON.stringify((await stage.read(id, token)).invocation.parameters);
  assert.match(await seenBy(stage.people.viewer), /"api_key":"\[redacted\]"/);
  assert.match(await seenBy(stage.people.admin), /"api_key":"canary"/);
  assert.equal(sentry.requests.length, 0);
});

/** A write of sentry that waits. */
async function startWaiting(
  t: Parameters<typeof startIntegrations>[0],
  reply: Reply = { json: { id: '4711' } },
  options: Parameters<typeof startIntegrations>[1] = {},
) {
  const sentry = await startStandIn(t, () => reply);
  const stage = await startIntegrations(t, options);
  await stage.add('sentry', sentry.url);
  const { status, answer } = await stage.ask('sentry', 'update_issue', PARAMETERS, stage.people.operator);
  return { stage, sentry, status, invocation: answer.invocation };
}
