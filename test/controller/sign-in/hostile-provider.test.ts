import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProvider } from '../../../controller/sign-in/provider.js';
import { createLogger } from '../../../runtime/logger.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { assertProblem, startTestHttp } from '../../support/http.js';
import { type Answer, CLIENT, startTestProvider } from '../../support/identity-provider.js';
import { createScriptedServices } from '../../support/scripted-services.js';
import { ORIGIN, openBrowser, post, refusedSignIn, signIn, startSignInSite } from '../../support/sign-in.js';

const MARKS = { state: 's'.repeat(43), nonce: 'n'.repeat(43), codeVerifier: 'v'.repeat(43) };

test('an id token with another nonce, issuer, audience, time, subject or signature signs nobody in', async (t) => {
  const site = await startSignInSite(t);
  const { script } = site.provider;
  const now = Math.floor(Date.now() / 1000);
  const changes: readonly Readonly<Record<string, unknown>>[] = [
    ...[{ nonce: 'another' }, { nonce: undefined }, { iss: 'https://evil.example' }, { aud: 'another-client' }],
    ...[{ aud: [CLIENT.id, 'another-client'], azp: 'another-client' }, { exp: now - 60 }, { exp: undefined }],
    ...[{ nbf: now + 600 }, { sub: undefined }, { sub: '' }, { sub: 'x'.repeat(256) }, { sub: 7 }],
  ];
  for (const change of changes) {
    script.claims = (claims) => ({ ...claims, ...change });
    await assertProblem(await refusedSignIn(site), 401, 'sign_in_failed');
  }
  script.claims = (claims) => claims;
  script.isForged = true;
  await assertProblem(await refusedSignIn(site), 401, 'sign_in_failed');
  script.isForged = false;
  script.algorithm = 'none';
  await assertProblem(await refusedSignIn(site), 401, 'sign_in_failed');
  script.algorithm = 'ES256';
  script.person = { sub: 'ann' };
  script.userInfo = { sub: 'somebody-else', groups: ['fleet-owners'] };
  await assertProblem(await refusedSignIn(site), 401, 'sign_in_failed');

  assert.deepEqual(await site.core.store.read.selectFrom('identities').selectAll().execute(), []);
  script.userInfo = { groups: ['fleet-viewers'] };
  script.claims = (claims) => ({ ...claims, iat: now + 20, exp: now - 20 });
  assert.equal((await signIn(site)).role, 'viewer', 'clocks may differ by half a minute');
});

test('a provider that talks nonsense, too much or not at all is told as unavailable, and local login goes on', async (t) => {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const site = await startSignInSite(t, { log: createLogger('controller', { level: 'trace', destination }) });
  const { answers } = site.provider.script;
  const { people } = site.core.core.services;
  await people.createUser(
    { id: 'owner', org: 'default', role: 'owner' },
    { id: 'ann', role: 'viewer', password: 'correct horse battery' },
  );
  const nonsense: readonly Answer[] = [
    { status: 500, text: 'canary' },
    { text: '<html>' },
    { json: [] },
    { json: { issuer: 'https://evil.example', token_endpoint: 'https://evil.example/canary' } },
    { status: 302, text: '' },
    { text: `{"issuer":"${'x'.repeat(300_000)}"}` },
  ];
  for (const answer of nonsense) {
    answers.set('configuration', answer);
    const response = await openBrowser(site).get('/api/v1/auth/oidc/login');
    const { detail } = await assertProblem(response, 503, 'sign_in_unavailable');
    assert.doesNotMatch(detail, /canary|evil/);
    assert.equal(response.headers.get('retry-after'), '5');
    await assertProblem(await post(site, '/device'), 503, 'sign_in_unavailable');
  }
  const login = { user: 'ann', password: 'correct horse battery' };
  const local = await fetch(`${site.url}/api/v1/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(login),
  });
  assert.equal(local.status, 201);
  answers.delete('configuration');
  await signIn(site); // it is asked again, and answers

  for (const endpoint of ['token', 'keys', 'userinfo', 'device']) {
    site.provider.script.person = { sub: `s-${endpoint}` };
    answers.set(endpoint, { text: `{"access_token":"canary-${'x'.repeat(300_000)}"}` });
    const response = endpoint === 'device' ? await post(site, '/device') : await refusedSignIn(site);
    if (endpoint !== 'keys') await assertProblem(response, 503, 'sign_in_unavailable');
    answers.set(endpoint, { status: 400, json: { error: 'invalid_client', error_description: 'canary words' } });
    const other = endpoint === 'device' ? await post(site, '/device') : await refusedSignIn(site);
    if (endpoint !== 'keys')
      assert.doesNotMatch((await assertProblem(other, 503, 'sign_in_unavailable')).detail, /canary/);
    answers.delete(endpoint);
  }
  assert.match(lines.join(''), /The provider refuses the controller \(invalid_client\)/);
  assert.doesNotMatch(lines.join(''), /canary|code-0/, 'no secret, token, code or word of the provider is logged');
});

test('a provider that hangs holds nobody longer than its time', async (t) => {
  const provider = await startTestProvider(t);
  const { answers } = provider.script;
  const oidc = {
    ...{ issuer: provider.issuer, client_id: CLIENT.id, clientSecret: CLIENT.secret, publicOrigin: ORIGIN },
    ...{ scopes: ['openid'], groups_claim: 'groups', roles: {} },
  };
  const asked = createProvider(oidc, { requestSeconds: 0.2 });

  answers.set('configuration', 'hang');
  await assertRejectsCode(asked.authorizationUrl(MARKS), 'sign_in_unavailable');
  answers.delete('configuration');
  await asked.authorizationUrl(MARKS);
  answers.set('token', 'hang');
  await assertRejectsCode(asked.askDevice('x'), 'sign_in_unavailable');
  const callback = new URL(`${ORIGIN}/api/v1/auth/oidc/callback?code=x&state=${MARKS.state}`);
  await assertRejectsCode(asked.redeem(callback, MARKS), 'sign_in_unavailable');
});

test('what the provider answers to the browser instead of a code is told by its code alone', async (t) => {
  const site = await startSignInSite(t);
  const said = [
    ['access_denied', /^The sign-in was denied at the provider$/],
    ['server_error', /^The provider did not sign anybody in \(server_error\)$/],
    ['<b>canary</b>', /^The provider did not sign anybody in \(no known code\)$/],
  ] as const;
  for (const [error, expected] of said) {
    const browser = openBrowser(site);
    const state = new URL(await browser.begin()).searchParams.get('state') ?? '';
    const query = new URLSearchParams({ state, error, error_description: 'canary words' });
    const { detail } = await assertProblem(
      await browser.get(`/api/v1/auth/oidc/callback?${query}`),
      401,
      'sign_in_failed',
    );
    assert.match(detail, expected);
  }
});

test('without settings there is no sign-in at a provider', async (t) => {
  const { url } = await startTestHttp(t, createScriptedServices().services);
  const code = { device_code: 'x' };
  for (const path of ['login', 'callback?code=x&state=y']) {
    await assertProblem(
      await fetch(`${url}/api/v1/auth/oidc/${path}`, { redirect: 'manual' }),
      404,
      'sign_in_not_set_up',
    );
  }
  for (const [path, body] of [['session'], ['device'], ['device/poll', code]] as const) {
    const answer = await fetch(`${url}/api/v1/auth/oidc/${path}`, {
      method: 'POST',
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    await assertProblem(answer, 404, 'sign_in_not_set_up');
  }
});
