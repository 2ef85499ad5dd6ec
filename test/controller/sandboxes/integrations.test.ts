import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { ActionInvocation } from '../../../controller/http/sandbox-action-schemas.js';
import { SandboxView } from '../../../controller/http/sandbox-schemas.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER } from '../../support/core.js';
import { openEvents } from '../../support/events.js';
import { type IntegrationsStage, startIntegrations, TOKEN } from '../../support/integrations.js';
import { assertProblemOf } from '../../support/problems.js';
import { makeSandbox, type TestSandbox } from '../../support/sandboxes.js';
import { type Reply, type StandIn, startStandIn } from '../../support/stand-in.js';

const FIVE_MINUTES_MS = 5 * 60_000;
const PARAMS = { team: 't1', title: 'The pump is loud', description: 'the password is swordfish' };
const ISSUE = { issue: 'ENG-1' };
const MADE = { issueCreate: { success: true, issue: { identifier: 'ENG-12', token: 'not for anybody' } } };
const SHOWN = { issueCreate: { success: true, issue: { identifier: 'ENG-12', token: '[redacted]' } } };

const Answer = z.object({
  invocation: ActionInvocation.optional(),
  invocations: z.array(ActionInvocation).optional(),
  integrations: z
    .array(z.object({ integration: z.string(), actions: z.array(z.object({ name: z.string() })) }))
    .optional(),
  result: z.unknown().optional(),
  message: z.string().optional(),
  error: z.string().optional(),
});

test('A-1, A-2, A-4, A-6, A-7, A-8, A-10, A-15, A-16, A-19, A-80…A-84, A-103…A-106: a write of an AI agent goes its fourteen steps', async (t) => {
  const { stage, linear, sandbox, call, integration } = await startSite(t, () => ({ json: { data: MADE } }));
  const browser = await openEvents(t, { url: stage.url, token: stage.people.viewer });

  // 1 to 5: asked, checked, kept, told, answered.
  const asked = await call(sandbox.token, 'POST invoke', {
    integration: 'linear',
    action: 'create_issue',
    params: PARAMS,
  });
  const { id = '', createdAt = '' } = asked.invocation ?? {};
  const request = await browser.next('action_approval_request');
  const row = await stage.muster.store.read
    .selectFrom('invocations')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow();

  assert.deepEqual([asked.status, asked.message], [202, 'Action requires approval']);
  assert.equal(asked.invocation?.status, 'pending');
  assert.deepEqual([asked.invocation.integrationId, asked.invocation.integration], [integration, 'linear']);
  assert.equal(asked.invocation.sessionId, sandbox.id);
  assert.equal(Date.parse(asked.invocation.expiresAt ?? '') - Date.parse(createdAt), FIVE_MINUTES_MS);
  assert.deepEqual(JSON.parse(row.parameters), PARAMS, 'kept as they were sent, for when they are used');
  const { invocationId, integration: name, action, riskLevel, expiresAt } = request;
  assert.deepEqual([invocationId, name, action, riskLevel], [id, 'linear', 'create_issue', 'write']);
  assert.equal(expiresAt, asked.invocation.expiresAt);

  // Meanwhile the agent polls, and nothing has been asked of the other system.
  assert.equal((await call(sandbox.token, `GET invocations/${id}`)).invocation?.status, 'pending');
  assert.equal(linear.requests.length, 0);

  // 6 to 12: a person approves, and it is done with the credential that the agent never sees.
  const approved = await call(stage.people.admin, `POST invocations/${id}/approve`);
  const { headers, body } = linear.last();

  assert.deepEqual([approved.status, approved.invocation?.status], [200, 'completed']);
  assert.equal(approved.invocation?.approvedBy, 'the-admin');
  assert.ok(approved.invocation.approvedAt !== null && approved.invocation.completedAt !== null);
  assert.equal(typeof approved.invocation.durationMs, 'number');
  assert.deepEqual(approved.result, SHOWN);
  assert.equal(headers.authorization, `Bearer ${TOKEN}`);
  assert.deepEqual(Object(body).variables.input.title, PARAMS.title);
  assert.equal(linear.requests.length, 1);

  // 13 and 14: everybody hears of it, and the agent sees it.
  const completed = await browser.next('action_completed');
  const seen = await call(sandbox.token, `GET invocations/${id}`);

  assert.deepEqual([completed.invocationId, completed.status, completed.result], [id, 'completed', SHOWN]);
  assert.deepEqual([seen.invocation?.status, seen.invocation?.result], ['completed', SHOWN]);
  assert.doesNotMatch(JSON.stringify([asked, approved, seen, browser.messages]), /canary|not for anybody/);
});

test('A-3, A-79, S-A-1: a read of an AI agent is done at once, with the result', async (t) => {
  const { sandbox, call } = await startSite(t, () => ({
    json: { data: { issues: { nodes: [{ identifier: 'ENG-1' }] } } },
  }));

  const { status, invocation, result } = await call(sandbox.token, 'POST invoke', {
    ...{ integration: 'linear', action: 'list_issues', params: {} },
  });

  assert.deepEqual([status, invocation?.status, invocation?.approvedBy], [200, 'completed', 'policy']);
  assert.deepEqual(result, { issues: { nodes: [{ identifier: 'ENG-1' }] } });
});

test('S-A-10: a read whose execution fails is 502 with the words of the other system', async (t) => {
  const { sandbox, call } = await startSite(t, () => ({ status: 500, json: { error: 'out of order' } }));

  const { status, invocation, error } = await call(sandbox.token, 'POST invoke', {
    ...{ integration: 'linear', action: 'list_issues', params: {} },
  });

  assert.deepEqual([status, invocation?.status], [502, 'failed']);
  assert.match(error ?? '', /^Action failed: linear answered 500/);
});

test('A-43, A-115, S-A-6, S-A-34: only what a sandbox is connected to is offered to it, and only what is active', async (t) => {
  const { stage, sandbox, call } = await startSite(t, () => ({ json: {} }));
  const { services } = stage.muster.core;
  await stage.add('sentry', 'http://127.0.0.1:9');
  const offered = async () => {
    const { integrations = [] } = await call(sandbox.token, 'GET available');
    return integrations.map(({ integration, actions }) => [integration, actions.map(({ name }) => name)]);
  };
  const invoke = async (integration: string, action: string) =>
    (await call(sandbox.token, 'POST invoke', { integration, action, params: {} })).error;
  const preview = (integration: string) =>
    stage.call('POST', '/api/v1/invocations/preview', {
      token: sandbox.token,
      body: { action: 'get_issue', target: { integration }, parameters: ISSUE },
    });
  const twice = { name: 'twice', connections: [1, 2].map(() => ({ integration: 'linear', actions: ['*'] })) };

  assert.deepEqual(await offered(), [['linear', ['list_issues', 'create_issue']]]);
  assert.equal(await invoke('sentry', 'get_issue'), 'Integration "sentry" not connected to this session');
  assert.equal(await invoke('linear', 'get_issue'), 'Integration "linear" not connected to this session');
  assert.equal(await invoke('linear', 'unheard_of'), 'Unknown action: linear/unheard_of');
  assert.equal(await invoke('jira', 'get_issue'), 'Unknown integration: jira');
  await assertProblemOf(await preview('sentry'), 403, 'outside_sandbox');
  const created = await stage.call('POST', '/api/v1/sandboxes', { token: stage.people.admin, body: twice });
  assert.equal(created.status, 400, 'each integration once');
  const unknown = { name: 'x', connections: [{ integration: 'jira', actions: ['*'] }] };
  await assertRejectsCode(services.sandboxes.create(OWNER, unknown), 'unknown_integration');

  await services.integrations.change(OWNER, 'linear', { status: 'disabled' });
  assert.deepEqual(await offered(), []);
  assert.equal(await invoke('linear', 'list_issues'), 'Unknown integration: linear');
  await services.integrations.remove(OWNER, 'linear');
  await stage.add('linear', 'http://127.0.0.1:9');
  assert.deepEqual(await offered(), [], 'another one of the same name is another one');
  assert.equal(await invoke('linear', 'list_issues'), 'Integration "linear" not connected to this session');
  const { body } = await stage.call('GET', `/api/v1/sandboxes/${sandbox.id}`, { token: stage.people.viewer });
  const [connection] = SandboxView.parse(body).connections;
  assert.ok(connection !== undefined && 'integration' in connection);
  assert.equal(connection.integration, null);
});

test('S-A-21: what was asked of an integration that is gone by the time of the approval fails, also for a sandbox', async (t) => {
  const { stage, sandbox, call, linear } = await startSite(t, () => ({ json: {} }));
  const { invocation } = await call(sandbox.token, 'POST invoke', {
    ...{ integration: 'linear', action: 'create_issue', params: PARAMS },
  });
  await stage.muster.core.services.integrations.remove(OWNER, 'linear');

  const approved = await call(stage.people.admin, `POST invocations/${invocation?.id}/approve`);

  assert.deepEqual([approved.status, approved.invocation?.status], [502, 'failed']);
  assert.match(approved.error ?? '', /Integration no longer available/);
  assert.equal(linear.requests.length, 0);
});

test('asks of nodes and of integrations count together against a sandbox’s limits', async (t) => {
  const { stage, sandbox, call } = await startSite(t, () => ({ json: {} }));
  const { services } = stage.muster.core;
  const write = { integration: 'linear', action: 'create_issue', params: PARAMS };
  for (let count = 0; count < 10; count += 1)
    assert.equal((await call(sandbox.token, 'POST invoke', write)).status, 202);

  const { status, error } = await call(sandbox.token, 'POST invoke', write);
  await services.sandboxes.change(OWNER, sandbox.id, { status: 'paused' });
  const paused = await call(sandbox.token, 'POST invoke', { ...write, action: 'list_issues', params: {} });

  assert.deepEqual([status, error], [429, 'Too many pending approvals. Resolve existing ones first.']);
  assert.deepEqual([paused.status, paused.error], [403, 'The sandbox is paused']);
});

type Told = z.infer<typeof Answer> & { status: number };

type Site = Readonly<{
  stage: IntegrationsStage;
  linear: StandIn;
  /** Id of the integration. */
  integration: string;
  sandbox: TestSandbox;
  call: (token: string, route: string, body?: unknown) => Promise<Told>;
}>;

/** A sandbox that may ask linear for two of its actions. */
async function startSite(t: TestScope, reply: () => Reply): Promise<Site> {
  const stage = await startIntegrations(t);
  const linear = await startStandIn(t, reply);
  const { id: integration } = await stage.add('linear', `${linear.url}/graphql`);
  const sandbox = await makeSandbox(stage.muster, 'assistant', [
    { integration: 'linear', actions: ['list_*', 'create_issue'] },
  ]);
  return {
    ...{ stage, linear, integration, sandbox },
    async call(token, route, body) {
      const [method = '', path = ''] = route.split(' ');
      const answer = await stage.call(method, `/${sandbox.id}/actions/${path}`, { token, body });
      return { status: answer.status, ...Answer.parse(answer.body) };
    },
  };
}
