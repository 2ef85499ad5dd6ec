import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createApp } from '../../../controller/http/app.js';
import { mayCall, type Rule } from '../../../controller/http/rules.js';
import { ROLES } from '../../../controller/identity/roles.js';
import { insertToken, makeToken } from '../../../controller/identity/token-rows.js';
import { insertOwner } from '../../../controller/identity/users.js';
import type { Principal, Role } from '../../../controller/services.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { askFor, invoke } from '../../support/asks.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER, startTestCore, type TestCore } from '../../support/core.js';
import { startTestHttp } from '../../support/http.js';
import { makeSandbox } from '../../support/sandboxes.js';
import { startScriptedAgent } from '../../support/scripted-agent.js';

type Route = Readonly<{ method: string; url: string; rule: Rule | undefined }>;

const NOWHERE = '018f2a10-0000-7000-8000-000000000000';
const SHA = 'a'.repeat(64);

/** A body that fits, for each route that takes one and looks something up by it. */
const BODIES: Readonly<Record<string, unknown>> = {
  'PATCH /api/v1/nodes/:node': { labels: { site: 'elsewhere' } },
  'POST /api/v1/nodes/:node/hooks/:name/accept': { checksum: SHA },
  'POST /api/v1/invocations': askFor({ nodes: ['canary-1'] }),
  'POST /api/v1/invocations/preview': askFor({ nodes: ['canary-1'] }),
  'POST /api/v1/invocations/:id/cancel': {},
  'POST /api/v1/invocations/:id/approve': { digest: SHA },
  'POST /api/v1/invocations/:id/deny': {},
  'POST /api/containers/:container_id/actions': { action: 'STOP' },
  'POST /api/actions/queue': { machine_id: 'canary-1', action_type: 'message', data: { message: 'hello' } },
  'PATCH /api/v1/users/:user': { disabled: true },
  'POST /api/v1/tokens': { user: 'canary-ann', name: 'mine now' },
  'POST /api/v1/sandboxes': { name: 'another', connections: [{ target: { fleet: true } }] },
  'PATCH /api/v1/sandboxes/:id': { status: 'paused' },
  'POST /api/v1/grants': { scope: 'org', target: { fleet: true }, actions: ['unheard-*'] },
  'POST /:sandbox_id/actions/invoke': { integration: 'node:canary-1', action: 'ping' },
};

/** Asks with a body that nobody of another org may have answered in any other way. */
const FOREIGN: Readonly<Record<string, readonly number[]>> = {
  'POST /api/v1/invocations': [422],
  'POST /api/v1/invocations/preview': [422],
  'POST /api/v1/tokens': [403, 404], // for others only an admin makes any
  'POST /api/v1/sandboxes': [201, 409], // one of its own
  'POST /api/v1/grants': [201], // for its own
  'GET /api/v1/verify': [404],
  'GET /api/v1/suspension': [404],
  'POST /api/v1/resume': [404],
};

test('A-46, A-57, A-110, S-A-14: every route × role × org answers as its rule says, and nobody finds or changes what is another org’s', async (t) => {
  const site = await startSite(t);
  const routes = await listRoutes(t, site);
  assert.ok(routes.length > 50, 'the routes of the real app');

  for (const route of routes) {
    const name = `${route.method} ${route.url}`;
    await t.test(name, async () => {
      const { rule } = route;
      assert.notEqual(rule, undefined, 'every route has a rule');
      if (rule === 'public' || rule === undefined) return;
      assert.equal((await ask(site, route, { path: nowhere(route.url) })).status, refusalOf(route), 'without a token');
      for (const role of ROLES) {
        const own = await ask(site, route, { path: nowhere(route.url), as: { org: 'default', role } });
        assertRule(own, { route, rule, role });
        if (!mayCall(rule, role)) continue;
        const before = await stateOf(site, 'default');
        const foreign = await ask(site, route, { path: site.fill(route.url), as: { org: 'other', role } });
        assertForeign(route, foreign);
        assert.deepEqual(await stateOf(site, 'default'), before, `${role} of another org changed something`);
      }
    });
  }
});

test('a token of another org, and that of a node of another org, opens nothing here', async (t) => {
  const site = await startSite(t);
  const services = site.muster.core.services;
  const foreign: Principal = { id: 'other-owner', org: 'other', role: 'owner' };

  assert.deepEqual((await services.nodes.list('other', { limit: 50 })).items, []);
  assert.deepEqual(await services.nodes.groups('other'), []);
  assert.deepEqual(await services.nodes.actions('other'), []);
  assert.equal(await services.invocations.get('other', site.invocation), undefined);
  assert.equal(await services.invocations.execution('other', site.invocation, 'canary-1'), undefined);
  assert.equal(
    await services.invocations.outputOf('other', site.invocation, { node: 'canary-1', stream: 'stdout' }),
    undefined,
  );
  assert.equal(await services.invocations.cancel(foreign, site.invocation, {}), undefined);
  assert.equal(await services.people.deleteUser(foreign, 'canary-ann'), false);
  assert.equal(await services.tokens.delete(foreign, site.token), false);
  assert.equal(await services.enrollment.deleteToken(foreign, site.enrollmentToken), false);
});

test('A-108, A-109, A-110: every route × sandbox answers as its rule says: a sandbox finds and changes nothing but its own, and decides nothing', async (t) => {
  const site = await startSite(t);
  for (const route of await listRoutes(t, site)) {
    const name = `${route.method} ${route.url}`;
    await t.test(name, async () => {
      const { rule } = route;
      assert.notEqual(rule, undefined, 'every route has a rule');
      if (rule === 'public' || rule === undefined) return;
      const before = await stateOf(site, 'default');
      for (const as of site.sandboxes) {
        const answer = await ask(site, route, { path: site.fill(route.url), as });
        if (mayCall(rule, 'sandbox')) assertForeign(route, answer);
        else assertRefused(route, answer);
        assert.deepEqual(await stateOf(site, 'default'), before, 'a sandbox changed something');
      }
    });
  }
});

type Answer = Readonly<{ status: number; text: string }>;
type Caller = Readonly<{ org: 'default' | 'other'; role: Role }>;

/** What is not for sandboxes; A's own routes say 401 where a person has to decide (S-A-14). */
function assertRefused(route: Route, { status, text }: Answer): void {
  const isOwnToSay = route.rule === 'node' || /^\/:sandbox_id\/.*\/(approve|deny)$/.test(route.url);
  assert.equal(status, isOwnToSay ? refusalOf(route) : 403, text);
  assert.doesNotMatch(text, /canary/);
}

/** F's own routes say 403 where all others say 401 (F-21). */
function refusalOf({ url }: Route): number {
  return url.startsWith('/api/actions/') ? 403 : 401;
}

function assertRule({ status, text }: Answer, { route, rule, role }: { route: Route; rule: Rule; role: Role }): void {
  if (rule === 'node') {
    assert.equal(status, refusalOf(route), `a ${role} is no node`);
    return;
  }
  if (mayCall(rule, role)) {
    assert.notEqual(status, 401, `${role}: ${text}`);
    assert.doesNotMatch(text, /This needs the role/, role);
    return;
  }
  assert.equal(status, 403, `${role}: ${text}`);
  if (!route.url.startsWith('/api/actions/')) {
    assert.match(text, new RegExp(`This needs the role ${rule}; yours is ${role}`));
  }
}

function assertForeign({ method, url }: Route, { status, text }: Answer): void {
  const name = `${method} ${url}`;
  const expected = FOREIGN[name] ?? (url.includes(':') ? [404] : undefined);
  if (expected !== undefined) assert.ok(expected.includes(status), `${status} ${text}`);
  assert.ok(status < 500, `${status} ${text}`);
  // What the caller itself has sent may come back to it.
  if (BODIES[name] === undefined) assert.doesNotMatch(text, /canary/, 'it tells of what is another org’s');
}

async function ask(
  site: Site,
  { method, url }: Route,
  { path, as }: { path: string; as?: Caller | string },
): Promise<Answer> {
  const body =
    BODIES[`${method} ${url}`] ?? (method === 'POST' || method === 'PUT' || method === 'PATCH' ? {} : undefined);
  const leaving = new AbortController();
  const response = await fetch(`${site.url}${path}`, {
    method,
    headers: {
      ...(as === undefined ? {} : { authorization: `Bearer ${typeof as === 'string' ? as : await site.tokenOf(as)}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      prefer: 'wait=0',
    },
    body: body === undefined ? null : JSON.stringify(body),
    signal: leaving.signal,
  });
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
  const text = isStream ? '' : await response.text();
  if (isStream) leaving.abort();
  return { status: response.status, text };
}

/** The address with ids that nothing has, so that a call which is let in changes nothing. */
function nowhere(url: string): string {
  return url
    .replace(/:(node|user|name|container_id)/g, 'nowhere')
    .replace(':version', '99')
    .replace(':sandbox_id', NOWHERE)
    .replace(':id', url.includes('tokens') ? '0'.repeat(16) : NOWHERE);
}

type Site = Readonly<{
  muster: TestCore;
  url: string;
  invocation: string;
  token: string;
  enrollmentToken: string;
  /** Tokens: of a sandbox of the org that is connected to something else, and of one of the other org. */
  sandboxes: readonly string[];
  /** The address with the ids of what the org `default` has. */
  fill: (url: string) => string;
  /** A new token: some calls end the one that they come with. */
  tokenOf: (caller: Caller) => Promise<string>;
}>;

/** Two orgs with a user of each role; one of them has something of everything, all of it called canary. */
async function startSite(t: TestScope): Promise<Site> {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  await services.people.createUser(OWNER, { id: 'canary-ann', role: 'viewer' });
  for (const org of ['default', 'other'] as const) {
    await muster.store.write((tx) => insertOwner(tx, { org, id: `${org}-owner`, nowMs: 1 }));
    const owner: Principal = { id: `${org}-owner`, org, role: 'owner' };
    for (const role of ['viewer', 'operator', 'admin'] as const) {
      await services.people.createUser(owner, { id: `${org}-${role}`, role });
    }
  }
  const hooks = [
    { name: 'canary.sh', description: '', parameters: [], source: 'local', checksum: SHA, sandbox: 'none' },
  ];
  const script = { groups: ['canary-group'], labels: { site: 'canary' }, runs: true, hooks };
  await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'canary-1', script });
  const invocation = await invoke(services.invocations, { nodes: ['canary-1'] }, { reason: 'canary' });
  await services.invocations.whenDone('default', invocation, { ms: 10_000 });
  const { id: token } = await services.tokens.create(OWNER, { user: 'canary-ann', name: 'canary' });
  const made = await services.enrollment.createToken(OWNER, {
    uses: 1,
    expires_in: '1h',
    groups: ['canary-group'],
    labels: {},
  });
  const polling = await services.polling.createToken(OWNER, { node: 'canary-2', groups: ['canary-group'], labels: {} });
  const { execution_id } = (await services.invocations.execution('default', invocation, 'canary-1')) ?? {};
  const canary = await makeSandbox(muster, 'canary-box');
  const grant = await services.grants.create(OWNER, {
    scope: 'org',
    target: { fleet: true },
    actions: ['canary-none*'],
    max_calls: null,
    expires_in: '1h',
  });
  const elsewhere = await makeSandbox(muster, 'elsewhere', [{ target: { group: 'nobody' }, actions: ['*'] }]);
  const foreign = await services.sandboxes.create(
    { id: 'other-owner', org: 'other', role: 'owner' },
    { name: 'foreign', connections: [{ target: { fleet: true }, actions: ['*'] }] },
  );
  const { url } = await startTestHttp(t, services);
  return {
    ...{ muster, url, invocation, token, enrollmentToken: made.id, sandboxes: [elsewhere.token, foreign.token] },
    fill: (pattern) => {
      const id = pattern.includes('enrollment-tokens')
        ? made.id
        : pattern.includes('node-tokens')
          ? polling.id
          : pattern.includes('/tokens')
            ? token
            : pattern.startsWith('/v1/')
              ? (execution_id ?? '')
              : pattern.includes('/sandboxes')
                ? canary.id
                : pattern.includes('/grants')
                  ? grant.id
                  : invocation;
      return pattern
        .replace(':node', 'canary-1')
        .replace(':user', 'canary-ann')
        .replace(':name', 'canary.sh')
        .replace(':container_id', 'canary-box')
        .replace(':version', '1')
        .replace(':sandbox_id', canary.id)
        .replace(':id', id);
    },
    async tokenOf({ org, role }) {
      const of = { org, user: `${org}-${role}`, name: 'test', role, createdBy: 'test', holders: [] } as const;
      const { row, token: bearer } = makeToken({ ...of, expiresMs: null, nowMs: Date.now() });
      await muster.store.write((tx) => insertToken(tx, row));
      return bearer;
    },
  };
}

/** The routes of the app as it is shipped, but for its documentation. */
async function listRoutes(t: TestScope, { muster }: Site): Promise<Route[]> {
  const { services } = muster.core;
  const log = createLogger('controller', { level: 'silent' });
  const { app, rules } = await createApp({ services, stopping: AbortSignal.abort(), log, clock: SYSTEM_CLOCK });
  t.after(() => app.close());
  return rules
    .flatMap(({ methods, url, rule }) => methods.map((method) => ({ method, url, rule })))
    .filter(({ method, url }) => method !== 'HEAD' && !url.startsWith('/docs'));
}

/** What an org has, but for the tokens that the test itself makes. */
async function stateOf({ muster, invocation }: Site, org: string): Promise<unknown> {
  const { read } = muster.store;
  return {
    users: await read.selectFrom('users').selectAll().where('org', '=', org).execute(),
    invocation: await read.selectFrom('invocations').selectAll().where('id', '=', invocation).execute(),
    sandboxes: await read.selectFrom('sandboxes').selectAll().where('org', '=', org).execute(),
    grants: await read.selectFrom('grants').selectAll().where('org', '=', org).execute(),
    enrollmentTokens: await read.selectFrom('enrollment_tokens').selectAll().where('org', '=', org).execute(),
    nodeTokens: await read.selectFrom('node_tokens').selectAll().where('org', '=', org).execute(),
    nodes: await read.selectFrom('nodes').select(['node', 'labels', 'revoked_at']).where('org', '=', org).execute(),
    groups: await read.selectFrom('node_groups').selectAll().where('node', 'like', 'canary%').execute(),
    pins: await read.selectFrom('hook_pins').selectAll().execute(),
    tokens: await read.selectFrom('api_tokens').select('id').where('principal', '=', 'canary-ann').execute(),
  };
}
