import assert from 'node:assert/strict';
import { test } from 'node:test';
import { auditRows } from '../../support/audit-rows.js';
import { openEvents } from '../../support/events.js';
import { startIntegrations, TOKEN } from '../../support/integrations.js';
import { setPolicy } from '../../support/policies.js';
import { assertProblemOf } from '../../support/problems.js';
import { type Reply, startStandIn } from '../../support/stand-in.js';

const PROJECT = { organization: 'acme', project: 'pump-ui' };

test('A-1, A-3, A-6, A-7, A-35, A-52, A-53, A-79, A-86, S-A-1: a read runs at once and is answered with its result, by a caller who has no credential', async (t) => {
  const sentry = await startStandIn(t, () => ({ json: [{ id: '1', title: 'Loud pump' }] }));
  const { add, ask, read, people, muster } = await startIntegrations(t);
  await add('sentry', sentry.url);

  const { status, answer } = await ask('sentry', 'list_issues', PROJECT, people.operator);

  const { invocation, result, result_truncated } = answer;
  assert.deepEqual([status, invocation.status, invocation.approved_by], [200, 'completed', 'policy']);
  assert.deepEqual([result, result_truncated], [[{ id: '1', title: 'Loud pump' }], false]);
  assert.deepEqual(invocation.target, { integration: 'sentry' });
  assert.equal(sentry.last().headers.authorization, `Bearer ${TOKEN}`);
  assert.ok(invocation.duration_ms !== null);
  assert.deepEqual(await read(invocation.id), answer);
  const [created] = await auditRows(muster.store, 'invocation_created');
  assert.equal(Object(created?.details).target, 'integration sentry');
  const states = (await auditRows(muster.store, 'invocation_started')).map(({ subject }) => subject);
  assert.deepEqual(states, [`invocation:${invocation.id}`]);
  assert.deepEqual(
    (await auditRows(muster.store, 'action_ended')).map(({ details }) => Object(details).status),
    ['completed'],
  );
});

test('A-11, A-16, A-17, A-22, A-54, S-A-10: a read that fails has a row with its error, and the caller learns why', async (t) => {
  const sentry = await startStandIn(t, () => ({
    status: 404,
    json: { detail: 'The requested resource does not exist' },
  }));
  const { add, ask } = await startIntegrations(t);
  await add('sentry', sentry.url, { name: 'errors' });

  const { status, answer } = await ask('errors', 'get_issue', { issue: '4711' });

  const { status: state, error, error_code, action, target, duration_ms } = answer.invocation;
  assert.deepEqual([status, state, error_code], [200, 'failed', 'integration_failed']);
  assert.equal(error, 'errors answered 404: The requested resource does not exist');
  assert.deepEqual([action, target], ['get_issue', { integration: 'errors' }]);
  assert.ok(duration_ms !== null);
  assert.equal('result' in answer, false);
});

test('A-5, A-34, S-A-2: danger is denied and recorded, and nothing is asked', async (t) => {
  const sentry = await startStandIn(t, () => ({ json: {} }));
  const { add, askRaw, call, muster, people } = await startIntegrations(t);
  await add('sentry', sentry.url);
  await setPolicy(muster, { risks: [{ actions: ['sentry/update_*'], risk: 'danger' }] });

  await assertProblemOf(
    await askRaw('sentry', 'update_issue', { parameters: { issue: '1' } }),
    403,
    'denied_by_policy',
  );

  const list = await call('GET', '/api/v1/invocations?status=denied', { token: people.viewer });
  assert.deepEqual(
    Object(list.body).items.map(({ action }: { action: string }) => action),
    ['update_issue'],
  );
  assert.equal(sentry.requests.length, 0);
});

test('C-13, S-A-41: the policy says the risk, and only a rule for integrations alone lowers what an adapter says', async (t) => {
  const sentry = await startStandIn(t, () => ({ json: {} }));
  const { add, ask, muster, people } = await startIntegrations(t);
  await add('sentry', sentry.url);
  const riskUnder = async (risks: readonly object[], action: string, parameters: object): Promise<string> => {
    await setPolicy(muster, { risks });
    return (await ask('sentry', action, parameters, people.operator)).answer.invocation.risk;
  };

  assert.equal(await riskUnder([{ actions: ['*'], risk: 'read' }], 'update_issue', { issue: '1' }), 'write');
  assert.equal(await riskUnder([{ actions: ['sentry/*'], risk: 'write' }], 'get_issue', { issue: '1' }), 'write');
  assert.equal(await riskUnder([{ actions: ['get_issue'], risk: 'write' }], 'get_issue', { issue: '1' }), 'read');
  const lowered = [{ actions: ['sentry/update_issue'], kind: 'integration', risk: 'read' }];
  assert.equal(await riskUnder(lowered, 'update_issue', { issue: '1' }), 'read');
});

test('S-A-11: what is not there or does not fit is refused in this order, and no row is made', async (t) => {
  const sentry = await startStandIn(t, () => ({ json: {} }));
  const { add, askRaw, call, people } = await startIntegrations(t);
  await add('sentry', sentry.url);
  const post = (body: object) => call('POST', '/api/v1/invocations', { token: people.operator, body });

  await assertProblemOf(await askRaw('jira', 'nothing'), 422, 'unknown_integration');
  const unknown = await assertProblemOf(await askRaw('sentry', 'nothing'), 422, 'unknown_action');
  assert.match(unknown.detail, /sentry\/nothing/);
  const missing = await askRaw('sentry', 'get_issue', { parameters: { issue: '' } });
  const { detail } = await assertProblemOf(missing, 422, 'missing_required_parameter');
  assert.equal(detail, 'Missing required parameter: issue');
  const alien = { issue: { $ne: null } };
  await assertProblemOf(await askRaw('sentry', 'get_issue', { parameters: alien }), 422, 'invalid_parameter');
  const target = { integration: 'sentry' };
  for (const more of [{ timeout: '5s' }, { expires_in: '1h' }, { spread: '1m' }, { stream: true }]) {
    await assertProblemOf(await post({ action: 'get_issue', target, ...more }), 400, 'invalid_request');
  }
  await assertProblemOf(
    await post({ action: 'get_issue', target: { ...target, fleet: true } }),
    400,
    'invalid_request',
  );
  await assertProblemOf(await askRaw('sentry', 'get_issue', { token: people.viewer }), 403, 'forbidden');
  const { body } = await call('GET', '/api/v1/invocations', { token: people.viewer });
  assert.deepEqual(Object(body).items, []);
});

test('A-61, A-62, S-A-27, S-A-28: a result is redacted, then cut, in the answer, in the store and in the event alike', async (t) => {
  const canary = 'canary-in-the-tail';
  const event = { id: '1', tags: { apiKey: canary, Authorization: `Bearer ${TOKEN}` }, context: `sent ${TOKEN} along` };
  const events = [event, ...Array.from({ length: 500 }, (_, index) => ({ id: String(index), token: canary }))];
  const sentry = await startStandIn(t, () => ({ json: events }));
  const stage = await startIntegrations(t);
  await stage.add('sentry', sentry.url);
  const stream = await openEvents(t, { url: stage.url, token: stage.people.viewer });

  const { answer } = await stage.ask('sentry', 'list_issue_events', { issue: '1' });

  assert.equal(answer.result_truncated, true);
  const [first] = Object(answer.result);
  assert.deepEqual(first.tags, { apiKey: '[redacted]', Authorization: '[redacted]' });
  assert.equal(first.context, 'sent [redacted] along');
  const text = JSON.stringify(answer.result);
  assert.ok(Buffer.byteLength(text) <= 10 * 1024 && text.length > 9_000);
  const told = await stream.next('action_completed');
  assert.deepEqual([told.status, told.result], ['completed', answer.result]);
  const stored = await stage.muster.store.read.selectFrom('integration_results').selectAll().execute();
  assert.deepEqual(
    stored.map(({ result }) => result),
    [text],
  );
  for (const where of [text, JSON.stringify(told)]) assert.ok(!where.includes(canary) && !where.includes(TOKEN));
});

test('a system that gives the credential back in its errors does not get it into ours', async (t) => {
  const encoded = Buffer.from(`user:${TOKEN}`).toString('base64');
  const replies: Reply[] = [
    { status: 500, text: `failed with ${TOKEN}` },
    { status: 401, json: { detail: `bad ${encodeURIComponent(TOKEN)} and ${encoded}` } },
    // It lies across the end of what is kept of an error.
    { status: 500, text: `${'x'.repeat(185)}${TOKEN}` },
    { json: { data: null, errors: [{ message: `${'x'.repeat(185)}${TOKEN}` }] } },
    { status: 500, json: { password: 'not-for-you', state: `x ${TOKEN}` } },
  ];
  const sentry = await startStandIn(t, (_seen, count) => replies[count - 1] ?? {});
  const { add, ask, muster } = await startIntegrations(t);
  await add('sentry', sentry.url);
  await add('linear', sentry.url);

  for (const reply of replies) {
    const integration = Object(reply).json?.errors === undefined ? 'sentry' : 'linear';
    const { error } = (await ask(integration, 'get_issue', { issue: '1' })).answer.invocation;
    assert.match(error ?? '', /\[redacted\]/);
  }
  for (const table of ['invocations', 'integration_results', 'events', 'audit', 'integrations'] as const) {
    const text = JSON.stringify(await muster.store.read.selectFrom(table).selectAll().execute());
    for (const spelling of [TOKEN.slice(0, 10), encodeURIComponent(TOKEN), encoded.slice(8, -4), 'not-for-you']) {
      assert.ok(!text.includes(spelling), `${table} holds ${spelling}`);
    }
  }
});

test('the same key gives the same invocation, another body is a conflict, and fifty at once are one', async (t) => {
  const sentry = await startStandIn(t, () => ({ json: {} }));
  const { add, call, people } = await startIntegrations(t);
  await add('sentry', sentry.url);
  const ask = (issue: string) =>
    call('POST', '/api/v1/invocations', {
      token: people.operator,
      headers: { 'idempotency-key': 'one' },
      body: { action: 'get_issue', target: { integration: 'sentry' }, parameters: { issue } },
    });

  const answers = await Promise.all(Array.from({ length: 50 }, () => ask('1')));

  assert.deepEqual([...new Set(answers.map(({ body }) => Object(body).invocation.id))].length, 1);
  assert.equal(sentry.requests.length, 1);
  await assertProblemOf(await ask('2'), 409, 'idempotency_conflict');
});

test('a preview says what the policy would do, and an ask bound to it is refused when the integration is another by then', async (t) => {
  const sentry = await startStandIn(t, () => ({ json: {} }));
  const { add, call, people } = await startIntegrations(t);
  await add('sentry', sentry.url);
  const ask = { action: 'update_issue', target: { integration: 'sentry' }, parameters: { issue: '1' } };
  const post = (path: string, body: object) => call('POST', `/api/v1/${path}`, { token: people.admin, body });

  const { risk, decision, digest } = Object((await post('invocations/preview', ask)).body);
  assert.deepEqual([risk, decision.code], ['write', 'confirmation_required']);
  await call('DELETE', '/api/v1/integrations/sentry', { token: people.admin });
  await add('sentry', `${sentry.url}/elsewhere`);

  await assertProblemOf(await post('invocations', { ...ask, digest, confirm: true }), 409, 'plan_changed');
  assert.equal(sentry.requests.length, 0);
});
