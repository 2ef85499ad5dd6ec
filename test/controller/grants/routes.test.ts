import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { GrantView } from '../../../controller/http/grant-schemas.js';
import { ActionGrant, ActionInvocation } from '../../../controller/http/sandbox-action-schemas.js';
import type { Role } from '../../../controller/services.js';
import { auditRows } from '../../support/audit-rows.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER, startTestCore } from '../../support/core.js';
import { startTestHttp } from '../../support/http.js';
import { makeSandbox } from '../../support/sandboxes.js';
import { startScriptedAgent } from '../../support/scripted-agent.js';

const PRIME = { name: 'prime', description: 'changes something', parameters: [] };
const ASK = { integration: 'node:pump-1', action: 'prime' };
const HOUR_MS = 3_600_000;

const Told = z.object({
  invocation: ActionInvocation.optional(),
  grant: z.unknown().optional(),
  error: z.string().optional(),
});

test('S-A-39: an approval with a grant is for this one, and for the next ones of the sandbox', async (t) => {
  const { site, waiting, invoke, sandbox, admin } = await startSite(t);
  const id = await waiting();

  const approved = await site(admin, `POST invocations/${id}/approve`, { mode: 'grant', maxCalls: 1 });

  assert.deepEqual([approved.status, approved.invocation?.approvedBy], [200, 'the-admin']);
  const grant = ActionGrant.parse(approved.grant);
  assert.deepEqual([grant.scope, grant.sessionId, grant.maxCalls], ['session', sandbox.id, 1]);
  const next = await invoke();
  assert.deepEqual([next.status, next.invocation?.approvedBy], [200, `grant:${grant.id}`]);
  assert.equal((await invoke()).status, 202);
});

test('S-A-39: the mode is once unless it is said, and an org-wide grant is for every sandbox', async (t) => {
  const { muster, site, waiting, invoke, admin } = await startSite(t);
  const other = await makeSandbox(muster, 'other');

  const once = await site(admin, `POST invocations/${await waiting()}/approve`, {});
  assert.deepEqual([once.status, once.grant], [200, undefined]);
  const id = await waiting();
  const body = { mode: 'grant', scope: 'org', maxCalls: null, expiresIn: '1h' };
  const { grant } = await site(admin, `POST invocations/${id}/approve`, body);

  const { scope, sessionId, maxCalls, expiresAt } = ActionGrant.parse(grant);
  assert.deepEqual([scope, sessionId, maxCalls], ['org', null, null]);
  assert.ok(Date.parse(expiresAt) <= Date.now() + HOUR_MS);
  for (const asker of [undefined, other]) assert.equal((await invoke(asker)).status, 200);
});

test('S-A-39: a budget that is no positive integer, and a mode that is none, are 400 and decide nothing', async (t) => {
  const { site, waiting, admin, muster } = await startSite(t);
  const id = await waiting();
  const faults: readonly (readonly [body: object, error: RegExp])[] = [
    ...[0, -3, 2.5, '3'].map(
      (maxCalls) => [{ mode: 'grant', maxCalls }, /^maxCalls: must be a positive integer or null$/] as const,
    ),
    [{ mode: 'always' }, /^mode: Unknown approval mode: must be once or grant$/],
    [{ mode: 'grant', scope: 'world' }, /^scope: must be session or org$/],
    [{ mode: 'grant', expiresIn: '721h' }, /^expires_in may be 720h, 30 days, at most$/],
  ];

  for (const [body, expected] of faults) {
    const { status, error = '' } = await site(admin, `POST invocations/${id}/approve`, body);
    assert.equal(status, 400, error);
    assert.match(error, expected);
  }
  assert.equal((await site(admin, `GET invocations/${id}`)).invocation?.status, 'pending');
  assert.deepEqual(await auditRows(muster.store, 'grant_created'), []);
});

test('S-A-39: when the approval fails there is no grant', async (t) => {
  const { site, waiting, admin, muster, invoke } = await startSite(t);
  const id = await waiting();
  const body = { mode: 'grant', scope: 'org' };
  const stale = await site(admin, `POST invocations/${id}/approve`, { ...body, digest: 'a'.repeat(64) });
  assert.equal(stale.status, 409);
  await site(admin, `POST invocations/${id}/deny`, {});

  const late = await site(admin, `POST invocations/${id}/approve`, body);

  assert.deepEqual([late.status, late.error], [409, 'Cannot approve invocation in status: denied']);
  assert.deepEqual((await muster.core.services.grants.list('default', { limit: 10 })).items, []);
  assert.equal((await invoke()).status, 202);
});

test('S-A-39: of many who approve at once with a grant one does, and there is one grant', async (t) => {
  const { site, waiting, admin, muster } = await startSite(t);
  const id = await waiting();

  const told = await Promise.all(
    Array.from({ length: 10 }, () => site(admin, `POST invocations/${id}/approve`, { mode: 'grant' })),
  );

  assert.equal(told.filter(({ status }) => status === 200).length, 1);
  assert.equal((await muster.core.services.grants.list('default', { limit: 20 })).items.length, 1);
});

test('what a person asked for is granted org-wide or not at all', async (t) => {
  const { muster, api, admin, tokenOf } = await startSite(t);
  const operator = await tokenOf('operator');
  const ask = { action: 'prime', target: { nodes: ['pump-1'] } };
  const waiting = Invocation.parse((await api(operator, 'POST invocations', ask)).json).invocation;
  const approve = (grant: object) =>
    api(admin, `POST invocations/${waiting.id}/approve`, { digest: waiting.digest, grant });

  assert.equal((await approve({})).status, 400);
  const approved = await approve({ scope: 'org', max_calls: 1 });

  assert.equal(approved.status, 200);
  const { grant } = z.object({ grant: GrantView }).parse(approved.json);
  assert.deepEqual(
    [grant.scope, grant.target, grant.actions, grant.invocation],
    ['org', { nodes: ['pump-1'] }, ['prime'], waiting.id],
  );
  const next = Invocation.parse((await api(operator, 'POST invocations', ask)).json).invocation;
  assert.equal(next.approved_by, `grant:${grant.id}`);
  assert.equal((await auditRows(muster.store, 'grant_created')).length, 1);
});

test('grants are made, listed, read and revoked over the API, and the same key makes one', async (t) => {
  const { api, admin, sandbox, invoke } = await startSite(t);
  const body = { sandbox: sandbox.id, target: { group: 'pumps' }, actions: ['pri*'], max_calls: 5 };
  const headers = { 'idempotency-key': 'one' };

  const made = GrantView.parse((await api(admin, 'POST grants', body, headers)).json);
  const again = await api(admin, 'POST grants', body, headers);
  const list = async () => z.object({ items: z.array(GrantView) }).parse((await api(admin, 'GET grants')).json).items;

  assert.deepEqual([again.status, GrantView.parse(again.json).id], [201, made.id]);
  assert.deepEqual(await list(), [made]);
  assert.equal((await invoke()).status, 202, 'the node is in no such group');
  const revoked = await api(admin, `DELETE grants/${made.id}`);
  assert.deepEqual([revoked.status, GrantView.parse(revoked.json).revoked_by], [200, 'the-admin']);
  assert.deepEqual(GrantView.parse((await api(admin, `GET grants/${made.id}`)).json), GrantView.parse(revoked.json));
  const many = { nodes: Array.from({ length: 1_001 }, (_, n) => `n${n}`) };
  const wrongs = [
    { target: many },
    { sandbox: undefined },
    { scope: 'org' },
    { max_calls: 0 },
    { actions: [] },
    { actions: ['sentry/*'] },
    { target: {} },
  ];
  for (const wrong of wrongs) {
    assert.equal((await api(admin, 'POST grants', { ...body, ...wrong })).status, 400, JSON.stringify(wrong));
  }
  assert.equal((await list()).length, 1);
});

const Invocation = z.object({
  invocation: z.object({ id: z.string(), digest: z.string(), approved_by: z.string().nullable() }),
});

async function startSite(t: TestScope) {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const script = { runs: true, actions: [PRIME] };
  await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1', script });
  const sandbox = await makeSandbox(muster, 'ci');
  const { url } = await startTestHttp(t, services);
  const call = async (token: string, [method, path]: readonly string[], body?: unknown, more: object = {}) => {
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const headers = { authorization: `Bearer ${token}`, ...type, ...more };
    const response = await fetch(`${url}${path}`, {
      ...(method === undefined ? {} : { method }),
      headers,
      body: body === undefined ? null : JSON.stringify(body),
    });
    const json: unknown = await response.json();
    return { status: response.status, json };
  };
  const below = (prefix: string, route: string): string[] => {
    const [method = '', path = ''] = route.split(' ');
    return [method, `${prefix}/${path}`];
  };
  const site = async (token: string, route: string, body?: unknown) => {
    const { status, json } = await call(token, below(`/${sandbox.id}/actions`, route), body);
    return { status, ...Told.parse(json) };
  };
  const invoke = async ({ id, token }: Readonly<{ id: string; token: string }> = sandbox) => {
    const { status, json } = await call(token, below(`/${id}/actions`, 'POST invoke'), ASK);
    return { status, ...Told.parse(json) };
  };
  const tokenOf = async (role: Role): Promise<string> => {
    await services.people.createUser(OWNER, { id: `the-${role}`, role });
    return (await services.tokens.create(OWNER, { user: `the-${role}`, name: 'test' })).token;
  };
  return {
    ...{ muster, sandbox, site, invoke, tokenOf, admin: await tokenOf('admin') },
    api: (token: string, route: string, body?: unknown, headers?: object) =>
      call(token, below('/api/v1', route), body, headers),
    /** What the sandbox asks for and waits: its id. */
    async waiting(): Promise<string> {
      const { invocation } = await invoke();
      assert.equal(invocation?.status, 'pending');
      return invocation.id;
    },
  };
}
