import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { ActionInvocation } from '../../../controller/http/sandbox-action-schemas.js';
import type { Role } from '../../../controller/services.js';
import { type Clock, SYSTEM_CLOCK, toTime } from '../../../runtime/clock.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER, startTestCore, type TestCore } from '../../support/core.js';
import { openEvents } from '../../support/events.js';
import { startTestHttp } from '../../support/http.js';
import { setPolicy } from '../../support/policies.js';
import { makeSandbox, type TestSandbox } from '../../support/sandboxes.js';
import { type ScriptedAgent, startScriptedAgent } from '../../support/scripted-agent.js';

const NODE = 'node:pump-1';
const MESSAGE = { name: 'message', type: 'string', required: true, description: 'what to say' } as const;
const ACTIONS = [
  { name: 'gather_info', description: 'reads', parameters: [] },
  { name: 'prime', description: 'changes something', parameters: [MESSAGE] },
  { name: 'melt', description: 'is dangerous', parameters: [] },
  { name: 'secret', description: 'is not for the sandbox', parameters: [] },
];
const FIVE_MINUTES_MS = 5 * 60_000;

/** Any answer of these routes. */
const Answer = z.object({
  invocation: ActionInvocation.optional(),
  invocations: z.array(ActionInvocation).optional(),
  result: z.unknown().optional(),
  message: z.string().optional(),
  error: z.string().optional(),
});

test('A-68, A-69: what a sandbox may ask for is listed for it and for people of its org, and is no more than that', async (t) => {
  const site = await startSite(t);

  const asSandbox = await site.call(site.sandbox.token, 'GET available');
  const asViewer = await site.call(await site.tokenOf('viewer'), 'GET available');

  const expected = [
    {
      integrationId: null,
      integration: NODE,
      actions: [
        { name: 'gather_info', description: 'reads', riskLevel: 'read', params: [] },
        { name: 'melt', description: 'is dangerous', riskLevel: 'danger', params: [] },
        { name: 'prime', description: 'changes something', riskLevel: 'write', params: [MESSAGE] },
      ],
    },
  ];
  for (const { status, json } of [asSandbox, asViewer])
    assert.deepEqual([status, json], [200, { integrations: expected, next_cursor: null }]);
});

test('A-70, A-79, A-83: what only reads is done at once, and the answer holds the result', async (t) => {
  const { sandbox, call, invoke } = await startSite(t, { runs: true });

  const { status, invocation, result } = await invoke({ integration: NODE, action: 'gather_info', params: {} });
  const polled = await call(sandbox.token, `GET invocations/${invocation?.id}`);

  assert.equal(status, 200);
  assert.equal(invocation?.status, 'completed');
  assert.equal(invocation.sessionId, sandbox.id);
  assert.deepEqual(
    [invocation.organizationId, invocation.integration, invocation.riskLevel],
    ['default', NODE, 'read'],
  );
  assert.deepEqual([invocation.approvedBy, typeof invocation.durationMs], ['policy', 'number']);
  assert.deepEqual(result, invocation.result);
  assert.deepEqual(polled.invocation, invocation);
  const { status: outcome, node } = z.object({ status: z.string(), node: z.string() }).parse(result);
  assert.deepEqual([outcome, node], ['success', 'pump-1']);
});

test('A-71, A-74, A-80, A-84, A-103, A-106, A-111, S-A-8, S-A-13: a write waits and is announced to all who listen, and runs when an admin approves it', async (t) => {
  const site = await startSite(t, { runs: true });
  const { sandbox, call, invoke } = site;
  const token = await site.tokenOf('viewer');
  const streams = await Promise.all([1, 2].map(() => openEvents(t, { url: site.url, token })));
  const params = { message: 'now' };

  const asked = await invoke({ integration: NODE, action: 'prime', params });
  const { id = '', createdAt = '', expiresAt } = asked.invocation ?? {};
  const waiting = await call(sandbox.token, `GET invocations/${id}`);
  const approved = await call(await site.tokenOf('admin'), `POST invocations/${id}/approve`, {});
  const listed = await call(sandbox.token, 'GET invocations');

  assert.deepEqual([asked.status, asked.message], [202, 'Action requires approval']);
  assert.deepEqual([asked.invocation?.status, asked.invocation?.params], ['pending', params]);
  assert.equal(expiresAt, toTime(Date.parse(createdAt) + FIVE_MINUTES_MS));
  assert.equal(waiting.invocation?.status, 'pending');
  assert.deepEqual([approved.status, approved.invocation?.status], [200, 'completed']);
  assert.equal(approved.invocation?.approvedBy, 'the-admin');
  assert.deepEqual(
    listed.invocations?.map((each) => [each.id, each.status]),
    [[id, 'completed']],
  );
  for (const events of streams) {
    await events.next('action_completed');
    assert.deepEqual(
      events.messages.map(({ type }) => type).filter((type) => type.startsWith('action_')),
      ['action_approval_request', 'action_approval_result', 'action_completed'],
    );
  }
});

test('A-81, S-A-9: what the policy denies is 403 with the invocation, which stays', async (t) => {
  const { invoke, call, sandbox } = await startSite(t);

  const { status, invocation, error } = await invoke({ integration: NODE, action: 'melt' });

  assert.deepEqual([status, invocation?.status, invocation?.riskLevel], [403, 'denied', 'danger']);
  assert.match(error ?? '', /^Action denied: The policy denies actions of risk danger$/);
  assert.equal((await call(sandbox.token, `GET invocations/${invocation?.id}`)).invocation?.status, 'denied');
});

test('S-A-6, S-A-11, A-78: what cannot be asked is 400 in the words of the route, and no row is made', async (t) => {
  const { invoke, call, sandbox } = await startSite(t);
  const refusals: readonly (readonly [body: unknown, error: RegExp])[] = [
    [{}, /^Invalid request: integration: is required/],
    [{ integration: NODE }, /^Invalid request: action: is required/],
    [{ integration: 'jira', action: 'list' }, /^Unknown integration: jira$/],
    [{ integration: 'node:nowhere', action: 'gather_info' }, /^Unknown integration: node:nowhere$/],
    [{ integration: 'node:pump-2', action: 'gather_info' }, /^Unknown integration: node:pump-2$/],
    [{ integration: 'node:a/b', action: 'gather_info' }, /^Unknown integration: node:a\/b$/],
    [{ integration: NODE, action: 'unheard_of' }, /^Unknown action: node:pump-1\/unheard_of$/],
    [{ integration: NODE, action: 'secret' }, /^Unknown action: node:pump-1\/secret$/],
    [{ integration: NODE, action: 'prime', params: {} }, /^Invalid params: prime needs the parameter message$/],
    [{ integration: NODE, action: 'prime', params: { message: { deep: 1 } } }, /^Invalid params: params message: /],
  ];

  for (const [body, expected] of refusals) {
    const { status, error = '' } = await invoke(body);
    assert.equal(status, 400, error);
    assert.match(error, expected);
  }
  assert.deepEqual((await call(sandbox.token, 'GET invocations')).invocations, []);
});

test('A-76, S-A-4: the eleventh write is refused in the words of the route, and reading goes on', async (t) => {
  const { invoke } = await startSite(t, { runs: true });
  const write = { integration: NODE, action: 'prime', params: { message: 'x' } };
  for (let count = 0; count < 10; count += 1) assert.equal((await invoke(write)).status, 202);

  const { status, error } = await invoke(write);

  assert.deepEqual([status, error], [429, 'Too many pending approvals. Resolve existing ones first.']);
  assert.equal((await invoke({ integration: NODE, action: 'gather_info' })).status, 200);
});

test('A-72, A-73, A-82, A-109, S-A-7, S-A-14: only a sandbox invokes, and only an admin or an owner decides', async (t) => {
  const site = await startSite(t, { runs: true });
  const { call, invoke, sandbox, tokenOf } = site;
  const write = { integration: NODE, action: 'prime', params: { message: 'x' } };
  const { invocation } = await invoke(write);
  const other = await makeSandbox(site.muster, 'other');

  for (const role of ['viewer', 'operator', 'admin', 'owner'] as const) {
    const { status, error } = await call(await tokenOf(role), 'POST invoke', write);
    assert.deepEqual([status, error], [403, 'Only sandbox agents can invoke actions']);
  }
  for (const verb of ['approve', 'deny']) {
    const path = `invocations/${invocation?.id}/${verb}`;
    for (const token of [sandbox.token, other.token]) {
      const { status, error } = await call(token, `POST ${path}`, {});
      assert.deepEqual([status, error], [401, 'User authentication required']);
    }
    for (const role of ['viewer', 'operator'] as const) {
      const { status, error } = await call(await tokenOf(role), `POST ${path}`, {});
      assert.deepEqual([status, error], [403, `Admin or owner role required to ${verb} actions`]);
    }
  }
  assert.equal((await call(await tokenOf('owner'), `POST invocations/${invocation?.id}/approve`)).status, 200);
});

test('S-A-15, S-A-18: what was decided cannot be decided again, and what there is not is 404', async (t) => {
  const site = await startSite(t);
  const { call, invoke } = site;
  const admin = await site.tokenOf('admin');
  const { invocation } = await invoke({ integration: NODE, action: 'prime', params: { message: 'x' } });

  const denied = await call(admin, `POST invocations/${invocation?.id}/deny`, { reason: 'not now' });

  assert.deepEqual([denied.status, denied.invocation?.status, denied.invocation?.error], [200, 'denied', 'not now']);
  assert.equal(denied.invocation?.approvedBy, 'the-admin');
  assert.equal(site.agent.offers.length, 0);
  for (const verb of ['approve', 'deny']) {
    const again = await call(admin, `POST invocations/${invocation?.id}/${verb}`);
    assert.deepEqual([again.status, again.error], [409, `Cannot ${verb} invocation in status: denied`]);
    const nowhere = await call(admin, `POST invocations/018f2a10-0000-7000-8000-000000000000/${verb}`);
    assert.equal(nowhere.status, 404);
  }
});

test('S-A-15, S-A-16: past its five minutes an approval is 410 and a denial 409, and the invocation has expired', async (t) => {
  let aheadMs = 0;
  const clock = { ...SYSTEM_CLOCK, nowMs: () => SYSTEM_CLOCK.nowMs() + aheadMs };
  const site = await startSite(t, { clock });
  const { call, invoke, sandbox } = site;
  const admin = await site.tokenOf('admin');
  const { invocation } = await invoke({ integration: NODE, action: 'prime', params: { message: 'x' } });
  aheadMs = FIVE_MINUTES_MS + 1;

  const approved = await call(admin, `POST invocations/${invocation?.id}/approve`);
  const denied = await call(admin, `POST invocations/${invocation?.id}/deny`);

  assert.equal(approved.status, 410);
  assert.deepEqual([denied.status, denied.error], [409, 'Cannot deny invocation in status: expired']);
  const { invocation: now } = await call(sandbox.token, `GET invocations/${invocation?.id}`);
  assert.equal(now?.status, 'expired');
  assert.ok(now.completedAt !== null);
});

test('S-A-10, S-A-17, A-85: what fails is 502 with the reason, for who asked and for who approved', async (t) => {
  const site = await startSite(t);
  const { call, invoke, agent } = site;
  const fail = async () => {
    const offer = await agent.nextOffer();
    await agent.ack(offer);
    await agent.result(offer, { status: 'error', exit_code: -1, error_code: 'start_failed', error: 'No such file' });
  };

  const [read] = await Promise.all([invoke({ integration: NODE, action: 'gather_info' }), fail()]);
  const { invocation } = await invoke({ integration: NODE, action: 'prime', params: { message: 'x' } });
  const [write] = await Promise.all([
    call(await site.tokenOf('owner'), `POST invocations/${invocation?.id}/approve`, {}),
    fail(),
  ]);

  for (const { status, error, invocation: ended } of [read, write]) {
    assert.equal(status, 502);
    assert.match(error ?? '', /^Action failed: /);
    assert.equal(ended?.status, 'failed');
    assert.ok(ended.durationMs !== null && ended.completedAt !== null);
  }
});

test('S-A-23, S-A-32, A-110: what another sandbox asked for is not there under this address, for anybody', async (t) => {
  const site = await startSite(t);
  const { call, sandbox } = site;
  const other = await makeSandbox(site.muster, 'other');
  const { invocation } = await site.invoke({ integration: NODE, action: 'prime', params: { message: 'x' } });
  const admin = await site.tokenOf('admin');
  const { url } = site;

  for (const token of [other.token, admin]) {
    const at = `${url}/${other.id}/actions/invocations`;
    const listed = await fetch(at, { headers: { authorization: `Bearer ${token}` } });
    assert.deepEqual(await listed.json(), { invocations: [], next_cursor: null });
    const one = await fetch(`${at}/${invocation?.id}`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal(one.status, 404);
  }
  for (const path of ['available', 'invocations', `invocations/${invocation?.id}`]) {
    assert.equal((await call(other.token, `GET ${path}`)).status, 404, path);
  }
  assert.equal((await call(other.token, 'POST invoke', { integration: NODE, action: 'gather_info' })).status, 404);
  const approved = await fetch(`${url}/${other.id}/actions/invocations/${invocation?.id}/approve`, {
    method: 'POST',
    headers: { authorization: `Bearer ${admin}` },
  });
  assert.equal(approved.status, 404);
  assert.equal((await call(sandbox.token, `GET invocations/${invocation?.id}`)).invocation?.status, 'pending');
});

type Told = z.infer<typeof Answer> & { status: number; json: unknown };

type Site = Readonly<{
  muster: TestCore;
  url: string;
  agent: ScriptedAgent;
  sandbox: TestSandbox;
  call: (token: string, route: string, body?: unknown) => Promise<Told>;
  /** What the sandbox asks for. */
  invoke: (body: unknown) => Promise<Told>;
  tokenOf: (role: Role) => Promise<string>;
}>;

/** A sandbox that may ask the first of two pumps for all that it offers but one. */
async function startSite(
  t: TestScope,
  { runs, clock = SYSTEM_CLOCK }: { runs?: boolean; clock?: Clock } = {},
): Promise<Site> {
  const muster = await startTestCore(t, { clock });
  const { services } = muster.core;
  await setPolicy(muster, { risks: [{ actions: ['melt'], risk: 'danger' }] });
  const start = (node: string) =>
    startScriptedAgent(t, {
      ...{ services, brokerUrl: muster.brokerUrl, node },
      script: { actions: ACTIONS, ...(runs === undefined ? {} : { runs }) },
    });
  const [agent] = await Promise.all([start('pump-1'), start('pump-2')]);
  const sandbox = await makeSandbox(muster, 'ci', [
    { target: { nodes: ['pump-1'] }, actions: ['gather_*', 'prime', 'melt'] },
  ]);
  const { url } = await startTestHttp(t, services);
  const call: Site['call'] = async (token, route, body) => {
    const [method = '', path = ''] = route.split(' ');
    const response = await fetch(`${url}/${sandbox.id}/actions/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const json: unknown = await response.json();
    return { status: response.status, json, ...Answer.parse(json) };
  };
  return {
    ...{ muster, url, agent, sandbox, call },
    invoke: (body) => call(sandbox.token, 'POST invoke', body),
    async tokenOf(role) {
      await services.people.createUser(OWNER, { id: `the-${role}`, role }).catch(() => undefined);
      return (await services.tokens.create(OWNER, { user: `the-${role}`, name: 'test' })).token;
    },
  };
}
