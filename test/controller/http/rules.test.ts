import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createApp } from '../../../controller/http/app.js';
import { mayCall } from '../../../controller/http/rules.js';
import { ROLES } from '../../../controller/identity/roles.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { assertProblem, startTestHttp } from '../../support/http.js';
import { createScriptedServices, tokenOf } from '../../support/scripted-services.js';

/** Who may call what, by hand: a changed rule has to be changed here too. */
const EXPECTED = {
  'GET /api/v1/nodes': 'viewer or sandbox',
  'GET /api/v1/node-summary': 'viewer or sandbox',
  'GET /api/v1/nodes/:node': 'viewer or sandbox',
  'PATCH /api/v1/nodes/:node': 'admin',
  'DELETE /api/v1/nodes/:node': 'admin',
  'GET /api/v1/hooks': 'viewer',
  'POST /api/v1/nodes/:node/hooks/:name/accept': 'admin',
  'GET /api/v1/groups': 'viewer or sandbox',
  'GET /api/v1/actions': 'viewer or sandbox',
  'POST /api/v1/invocations': 'operator or sandbox',
  'POST /api/v1/invocations/preview': 'operator or sandbox',
  'GET /api/v1/invocations': 'viewer or sandbox',
  'GET /api/v1/invocations/:id': 'viewer or sandbox',
  'POST /api/v1/invocations/:id/cancel': 'operator or sandbox',
  'GET /api/v1/approvals': 'viewer',
  'POST /api/v1/invocations/:id/approve': 'admin',
  'POST /api/v1/invocations/:id/deny': 'admin',
  'POST /api/v1/grants': 'admin',
  'GET /api/v1/grants': 'viewer',
  'GET /api/v1/grants/:id': 'viewer',
  'DELETE /api/v1/grants/:id': 'admin',
  'GET /api/v1/invocations/:id/executions': 'viewer or sandbox',
  'GET /api/v1/invocations/:id/executions/:node': 'viewer or sandbox',
  'GET /api/v1/invocations/:id/executions/:node/output': 'viewer or sandbox',
  'POST /api/v1/integrations': 'admin',
  'GET /api/v1/integrations': 'viewer',
  'GET /api/v1/integrations/:name': 'viewer',
  'PATCH /api/v1/integrations/:name': 'admin',
  'DELETE /api/v1/integrations/:name': 'admin',
  'POST /api/v1/integrations/:name/test': 'admin',
  'GET /api/v1/policy': 'viewer',
  'PUT /api/v1/policy': 'owner',
  'GET /api/v1/policy/versions': 'viewer',
  'GET /api/v1/policy/versions/:version': 'viewer',
  'GET /api/v1/suspension': 'viewer',
  'POST /api/v1/resume': 'owner',
  'GET /api/v1/events': 'viewer',
  'POST /api/v1/enrollment-tokens': 'admin',
  'GET /api/v1/enrollment-tokens': 'admin',
  'DELETE /api/v1/enrollment-tokens/:id': 'admin',
  'POST /api/v1/enroll': 'public',
  'GET /api/v1/nonce': 'public',
  'POST /api/v1/renew': 'public',
  'POST /api/containers/:container_id/actions': 'operator',
  'POST /api/v1/sandboxes': 'admin',
  'GET /api/v1/sandboxes': 'viewer',
  'GET /api/v1/sandboxes/:id': 'viewer',
  'PATCH /api/v1/sandboxes/:id': 'admin',
  'POST /api/v1/sandboxes/:id/token': 'admin',
  'DELETE /api/v1/sandboxes/:id': 'admin',
  'GET /:sandbox_id/actions/available': 'viewer or sandbox',
  'POST /:sandbox_id/actions/invoke': 'sandbox',
  'GET /:sandbox_id/actions/invocations': 'viewer or sandbox',
  'GET /:sandbox_id/actions/invocations/:id': 'viewer or sandbox',
  'POST /:sandbox_id/actions/invocations/:id/approve': 'admin',
  'POST /:sandbox_id/actions/invocations/:id/deny': 'admin',
  'POST /mcp': 'operator or sandbox',
  'POST /api/v1/node-tokens': 'admin',
  'GET /api/v1/node-tokens': 'admin',
  'DELETE /api/v1/node-tokens/:id': 'admin',
  'POST /api/actions/queue': 'operator',
  'GET /api/actions/pending': 'node',
  'POST /api/actions/report': 'node',
  'POST /v1/nodes/:node/executions/:id/ack': 'node',
  'POST /v1/nodes/:node/executions/:id/result': 'node',
  'PUT /v1/nodes/:node/capabilities': 'node',
  'POST /api/v1/users': 'admin',
  'GET /api/v1/users': 'admin',
  'PATCH /api/v1/users/:user': 'admin',
  'DELETE /api/v1/users/:user': 'admin',
  'PUT /api/v1/me/password': 'viewer',
  'POST /api/v1/tokens': 'viewer',
  'GET /api/v1/tokens': 'viewer',
  'DELETE /api/v1/tokens/:id': 'viewer',
  'POST /api/v1/login': 'public',
  'POST /api/v1/logout': 'viewer',
  'GET /api/v1/me': 'viewer or sandbox',
  'POST /api/v1/broker-credentials': 'admin',
  'GET /api/v1/audit': 'admin',
  'GET /api/v1/verify': 'admin',
  'GET /api/v1/auth/oidc/login': 'public',
  'GET /api/v1/auth/oidc/callback': 'public',
  'POST /api/v1/auth/oidc/session': 'public',
  'POST /api/v1/auth/oidc/device': 'public',
  'POST /api/v1/auth/oidc/device/poll': 'public',
  'GET /api/v1/auth/methods': 'public',
  'POST /api/v1/auth/session': 'public',
  'DELETE /api/v1/auth/session': 'public',
  'POST /api/v1/auth/session-links': 'viewer',
  'GET /api/v1/broker/keys': 'public',
  'GET /api/v1/broker/revocations': 'public',
  'GET /healthz': 'public',
  'GET /readyz': 'public',
  'GET /metrics': 'public',
  'GET /openapi.json': 'public',
  'GET /': 'public',
  'GET /assets/:file': 'public',
} as const;

test('every route has the rule that it should, and none is without one', async (t) => {
  const { services } = createScriptedServices();
  const log = createLogger('controller', { level: 'silent' });
  const { app, rules } = await createApp({ services, stopping: AbortSignal.abort(), log, clock: SYSTEM_CLOCK });
  t.after(() => app.close());

  const found = rules
    .flatMap(({ methods, url, rule }) => methods.map((method) => [`${method} ${url}`, rule] as const))
    .filter(([name]) => !name.startsWith('HEAD ') && !name.startsWith('GET /docs'));

  assert.deepEqual(Object.fromEntries(found), EXPECTED);
  assert.deepEqual(
    rules.filter(({ rule }) => rule === undefined),
    [],
  );
});

test('a role may do what the roles before it may, and no more', () => {
  for (const [at, rule] of ROLES.entries()) {
    for (const [index, role] of ROLES.entries()) {
      assert.equal(mayCall(rule, role), index >= at, `${role} on ${rule}`);
      assert.equal(mayCall(`${rule} or sandbox`, role), index >= at, `${role} on ${rule} or sandbox`);
    }
    assert.equal(mayCall('public', rule), true);
  }
});

test('A-108: a sandbox may call what is for sandboxes, and nothing that is for people or nodes', () => {
  for (const rule of ['public', 'sandbox', 'viewer or sandbox', 'owner or sandbox'] as const) {
    assert.equal(mayCall(rule, 'sandbox'), true, rule);
  }
  for (const rule of ['node', ...ROLES] as const) assert.equal(mayCall(rule, 'sandbox'), false, rule);
  for (const role of ROLES) assert.equal(mayCall('sandbox', role), false, role);
});

test('every route that is not public answers 401 without a token and 403 below its role', async (t) => {
  const { url } = await startTestHttp(t, createScriptedServices().services);

  for (const [name, rule] of Object.entries(EXPECTED)) {
    const [method = '', pattern = ''] = name.split(' ');
    if (rule === 'public' || pattern.startsWith('/api/actions/')) continue; // those have an answer of their own
    const address = `${url}${pattern.replace(':user', 'ann').replace(':node', 'pump-1').replace(':name', 'deploy.sh').replace(':sandbox_id', '018f2a10-0000-7000-8000-000000000001').replace(':id', '018f2a10-0000-7000-8000-000000000000')}`;
    await assertProblem(await fetch(address, { method }), 401, 'unauthenticated');
    const least = rule === 'sandbox' ? 'sandbox' : rule.replace(' or sandbox', '');
    const below = least === 'sandbox' ? 'owner' : ROLES.find((_role, at) => ROLES[at + 1] === least);
    if (below === undefined) continue;
    const answer = await fetch(address, { method, headers: { authorization: `Bearer ${tokenOf(below)}` } });
    const { detail } = await assertProblem(answer, 403, 'forbidden');
    assert.equal(detail, `This needs the role ${rule}; yours is ${below}`);
  }
});

test('only a bearer token of a sane shape is looked up', async (t) => {
  const scripted = createScriptedServices();
  const asked: string[] = [];
  const { url } = await startTestHttp(t, {
    ...scripted.services,
    authenticate: async (bearer) => {
      asked.push(bearer);
      return scripted.services.authenticate(bearer);
    },
  });
  const statusFor = async (authorization: string): Promise<number> =>
    (await fetch(`${url}/api/v1/me`, { headers: { authorization } })).status;

  assert.equal(await statusFor('Basic b3duZXI6c2VjcmV0'), 401);
  assert.equal(await statusFor('Bearer'), 401);
  assert.equal(await statusFor(`Bearer ${tokenOf('owner')} x`), 401);
  assert.equal(await statusFor(`Bearer ${'x'.repeat(513)}`), 401);
  assert.deepEqual(asked, []);
  assert.equal(await statusFor('Bearer mst_nobody_x'), 401);
  assert.equal(await statusFor(`bearer ${tokenOf('owner')}`), 200);
});
