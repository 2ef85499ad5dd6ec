import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { IntegrationTest } from '../../../controller/http/integration-schemas.js';
import { createAdapters } from '../../../controller/integrations/adapters/list.js';
import { SENTRY } from '../../../controller/integrations/adapters/sentry.js';
import { VAULT_KEY_FILE } from '../../../controller/integrations/vault.js';
import { createSecrets } from '../../../runtime/masking/mask.js';
import { auditRows } from '../../support/audit-rows.js';
import { startIntegrations, TOKEN } from '../../support/integrations.js';
import { assertProblemOf } from '../../support/problems.js';
import { type Reply, startStandIn } from '../../support/stand-in.js';

test('A-2, A-6, A-63, A-86: a credential goes in and never comes out, and every change is audited', async (t) => {
  const sentry = await startStandIn(t, () => ({ json: {} }));
  const { add, call, people, muster } = await startIntegrations(t);

  const made = await add('sentry', sentry.url, { name: 'errors' });
  assert.deepEqual([made.name, made.adapter, made.provider, made.status], ['errors', 'sentry', 'stored', 'active']);
  assert.equal(made.actions.length, 5);
  const { body: list } = await call('GET', '/api/v1/integrations', { token: people.viewer });
  assert.deepEqual(Object(list).items, [made]);
  await call('PATCH', '/api/v1/integrations/errors', { token: people.admin, body: { status: 'disabled' } });
  const { status } = await call('DELETE', '/api/v1/integrations/errors', { token: people.admin });

  assert.equal(status, 204);
  const events = ['integration_added', 'integration_changed', 'integration_removed'];
  for (const event of events) {
    const [row, ...more] = await auditRows(muster.store, event);
    assert.deepEqual([row?.actor, row?.subject, more.length], ['the-admin', `integration:${made.id}`, 0]);
  }
  const trail = await muster.store.read.selectFrom('audit').select('details').execute();
  for (const text of [JSON.stringify([made, list]), JSON.stringify(trail)]) assert.ok(!text.includes(TOKEN));
});

test('at rest a credential is sealed under a key that is not in the store', async (t) => {
  const sentry = await startStandIn(t, () => ({ json: {} }));
  const { add, ask, muster } = await startIntegrations(t);
  await add('sentry', sentry.url);

  const row = await muster.store.read.selectFrom('integrations').selectAll().executeTakeFirstOrThrow();
  assert.ok(!JSON.stringify(row).includes(TOKEN));
  const key = readFileSync(join(muster.directory, VAULT_KEY_FILE), 'utf8').trim();
  assert.ok(!row.sealed.includes(key));

  rmSync(join(muster.directory, VAULT_KEY_FILE));
  const { error_code } = (await ask('sentry', 'get_issue', { issue: '1' })).answer.invocation;
  assert.deepEqual([error_code, sentry.requests.length], ['unsafe_key', 0]);
});

test('whoever changes the address in the store does not get the credential sent there', async (t) => {
  const sentry = await startStandIn(t, () => ({ json: {} }));
  const thief = await startStandIn(t, () => ({ json: {} }));
  const { add, ask, muster } = await startIntegrations(t);
  await add('sentry', sentry.url);
  await muster.store.write((tx) => tx.updateTable('integrations').set({ base_url: thief.url }).execute());

  const { status, error_code } = (await ask('sentry', 'get_issue', { issue: '1' })).answer.invocation;

  assert.deepEqual([status, error_code, thief.requests.length], ['failed', 'unsafe_key', 0]);
});

test('a name is taken once, an adapter has to be known, and a credential crosses no network in the clear', async (t) => {
  const sentry = await startStandIn(t, () => ({ json: {} }));
  const { add, call, people } = await startIntegrations(t);
  await add('sentry', sentry.url);
  const credential = { provider: 'stored', token: TOKEN };
  const post = (body: object) => call('POST', '/api/v1/integrations', { token: people.admin, body });

  await assertProblemOf(await post({ adapter: 'sentry', credential }), 409, 'conflict');
  const { detail } = await assertProblemOf(await post({ adapter: 'jira', credential }), 400, 'invalid_request');
  assert.match(detail, /sentry, linear/);
  const bad = ['http://sentry.example/api', 'ftp://x.example', 'https://user:pass@x.example', 'https://x.example/?a=1'];
  for (const base_url of bad) {
    await assertProblemOf(await post({ adapter: 'linear', base_url, credential }), 400, 'invalid_request');
  }
  for (const token of ['short', 'with space in it', 'with\r\nx-header: 1', 'x'.repeat(5000)]) {
    const ask = { adapter: 'linear', credential: { provider: 'stored', token } };
    const { detail: why } = await assertProblemOf(await post(ask), 400, 'invalid_request');
    assert.ok(!why.includes(token));
  }
});

test('the credential of an integration that was refused is not masked from then on', async (t) => {
  const secrets = createSecrets();
  const sentry = await startStandIn(t, () => ({ json: {} }));
  const { add, call, people } = await startIntegrations(t, { secrets });
  await add('sentry', sentry.url);
  const credential = { provider: 'stored', token: 'token-of-another' };

  const refused = await call('POST', '/api/v1/integrations', {
    token: people.admin,
    body: { adapter: 'sentry', credential },
  });

  await assertProblemOf(refused, 409, 'conflict');
  assert.equal(secrets.mask.typed(`${TOKEN} token-of-another`), '[redacted] token-of-another');
});

test('C-37, A-114: two integrations of one adapter stand beside each other, each with its own credential', async (t) => {
  const sentry = await startStandIn(t, () => ({ json: {} }));
  const { add, ask } = await startIntegrations(t);
  await add('sentry', sentry.url, { name: 'one', credential: { provider: 'stored', token: 'token-of-one' } });
  await add('sentry', sentry.url, { name: 'two', credential: { provider: 'stored', token: 'token-of-two' } });

  for (const name of ['one', 'two']) await ask(name, 'get_issue', { issue: '1' });

  assert.deepEqual(
    sentry.requests.map(({ headers }) => headers.authorization),
    ['Bearer token-of-one', 'Bearer token-of-two'],
  );
});

test('A-114: a token of Nango or of a GitHub App is fetched when an action needs it, and stored nowhere', async (t) => {
  const tokens = await startStandIn(t, ({ path }) =>
    path.startsWith('/app/')
      ? { json: { token: 'ghs_fresh-token' } }
      : { json: { credentials: { access_token: 'fresh-token' } } },
  );
  const sentry = await startStandIn(t, () => ({ json: { said: 'hello ghs_fresh-token and fresh-token' } }));
  const headersFor = (token: string) => ({ 'x-key': `Key ${token}` });
  const adapters = createAdapters([{ ...SENTRY, headersFor }]);
  const { add, ask } = await startIntegrations(t, { adapters });
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  await add('sentry', sentry.url, {
    name: 'by-nango',
    credential: {
      provider: 'nango',
      secret_key: 'nango-secret',
      connection_id: 'c',
      provider_config_key: 'k',
      base_url: tokens.url,
    },
  });
  const app = { app_id: '1', installation_id: '2', private_key: privateKey, base_url: tokens.url } as const;
  await add('sentry', sentry.url, { name: 'by-app', credential: { provider: 'github_app', ...app } });

  for (const [name, token] of [
    ['by-nango', 'fresh-token'],
    ['by-app', 'ghs_fresh-token'],
  ] as const) {
    const { answer } = await ask(name, 'get_issue', { issue: '1' });
    assert.equal(sentry.last().headers['x-key'], `Key ${token}`);
    assert.ok(!JSON.stringify(answer.result).includes(token));
  }
  assert.equal(tokens.requests.length, 2);
});

test('a test of the connection says what is wrong, asks nothing that changes anything, and is audited', async (t) => {
  const replies: Reply[] = [{ json: {} }, { status: 401, json: { detail: `Invalid token ${TOKEN}` } }];
  const sentry = await startStandIn(t, (_seen, count) => replies[count - 1] ?? {});
  const { add, call, people, muster } = await startIntegrations(t);
  await add('sentry', sentry.url);
  const post = async () => {
    const { status, body } = await call('POST', '/api/v1/integrations/sentry/test', { token: people.admin, body: {} });
    assert.equal(status, 200);
    return IntegrationTest.parse(body);
  };

  const [good, bad] = [await post(), await post()];

  assert.deepEqual([good.ok, bad.ok, bad.detail], [true, false, 'sentry answered 401: Invalid token [redacted]']);
  assert.deepEqual(
    sentry.requests.map(({ method }) => method),
    ['GET', 'GET'],
  );
  const rows = await auditRows(muster.store, 'integration_tested');
  assert.deepEqual(
    rows.map(({ details }) => Object(details).ok),
    [true, false],
  );
  await assertProblemOf(
    await call('POST', '/api/v1/integrations/nothing/test', { token: people.admin, body: {} }),
    404,
    'not_found',
  );
});
