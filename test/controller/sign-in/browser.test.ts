import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiTokenCreated, Me } from '../../../controller/http/people-schemas.js';
import { toReturnAddress } from '../../../controller/sign-in/return-path.js';
import { assertThrowsCode } from '../../support/assert-code.js';
import { auditRows } from '../../support/audit-rows.js';
import { OWNER } from '../../support/core.js';
import { assertProblem } from '../../support/http.js';
import { askPlainly } from '../../support/plain-http.js';
import { ORIGIN, openBrowser, post, signIn, startSignInSite } from '../../support/sign-in.js';
import { createPassingClock } from '../../support/test-clock.js';

const me = (url: string, token: string): Promise<Response> =>
  fetch(`${url}/api/v1/me`, { headers: { authorization: `Bearer ${token}` } });

test('a browser signs in at the provider and gets a token for 12 h, once', async (t) => {
  const site = await startSignInSite(t);
  const browser = openBrowser(site);

  const back = await browser.get(await browser.begin('?return_to=/docs?tab=1'));
  const cookies = new Map(browser.cookies);
  const made = await browser.collect();
  const token = ApiTokenCreated.parse(await made.json());

  assert.deepEqual([back.status, back.headers.get('location')], [303, `${ORIGIN}/docs?tab=1`]);
  assert.equal(made.status, 201);
  const hours = (Date.parse(token.expires_at ?? '') - Date.parse(token.created_at)) / 3_600_000;
  assert.deepEqual([token.role, token.name, hours], ['operator', 'login', 12]);
  const { id, role } = Me.parse(await (await me(site.url, token.token)).json());
  assert.match(id, /^ann-[0-9a-f]{12}$/);
  assert.equal(role, 'operator');
  assert.equal(browser.cookies.size, 0, 'nothing of it stays in the browser');
  for (const [name, value] of cookies) browser.cookies.set(name, value);
  await assertProblem(await browser.collect(), 401, 'sign_in_failed');
});

test('a page takes the sign-in for a session: the browser holds a token named browser, and no script sees it', async (t) => {
  const site = await startSignInSite(t);
  const browser = openBrowser(site);
  await browser.get(await browser.begin());
  const handOver = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const begin = (headers: Readonly<Record<string, string>>) =>
    askPlainly(site.url, {
      ...{ method: 'POST', path: '/api/v1/auth/session', body: '{"oidc":true}' },
      headers: { 'content-type': 'application/json', cookie: handOver, ...headers },
    });

  const foreign = await begin({ origin: 'https://evil.example' });
  const made = await begin({ origin: ORIGIN });
  const again = await begin({ origin: ORIGIN });

  assert.equal(foreign.status, 403, foreign.text);
  assert.equal(made.status, 201, made.text);
  assert.match(JSON.parse(made.text).id, /^ann-[0-9a-f]{12}$/);
  const [cleared = '', session = ''] = made.headers['set-cookie'] ?? [];
  assert.match(cleared, /^__Host-muster-signed-in=; Max-Age=0;/);
  assert.match(session, /^__Host-muster-session=mst_\S+; Max-Age=\d+; Path=\/; HttpOnly; SameSite=Strict; Secure$/);
  const cookie = session.split(';', 1)[0] ?? '';
  assert.equal((await askPlainly(site.url, { path: '/api/v1/me', headers: { cookie } })).status, 200);
  const [token] = (await site.core.core.services.tokens.list(OWNER, { limit: 1 })).items;
  assert.equal(token?.name, 'browser');
  assert.deepEqual([again.status, JSON.parse(again.text).code], [401, 'sign_in_failed']);
});

test('no token, code or secret is in an address of ours, and cookies are for this host and no script', async (t) => {
  const site = await startSignInSite(t);
  const browser = openBrowser(site);

  const first = await browser.get('/api/v1/auth/oidc/login');
  const address = new URL(first.headers.get('location') ?? '');
  const callback = await (await fetch(address, { redirect: 'manual' })).headers.get('location');
  const back = await browser.get(callback ?? '');

  for (const line of [...first.headers.getSetCookie(), ...back.headers.getSetCookie()]) {
    assert.match(line, /^__Host-muster-sign(ed)?-in=/);
    assert.match(line, /; Path=\/; HttpOnly; SameSite=Lax; Secure$/);
  }
  assert.deepEqual(
    [address.searchParams.get('code_challenge_method'), address.searchParams.get('redirect_uri')],
    ['S256', `${ORIGIN}/api/v1/auth/oidc/callback`],
  );
  const verifier = site.provider.grants[0]?.get('code_verifier') ?? '';
  assert.match(verifier, /^[\w-]{43}$/);
  assert.doesNotMatch(`${address}${first.headers.getSetCookie()}`, new RegExp(verifier));
  assert.equal(await back.text(), `You are signed in as ${await nameOf()} (operator).\n`);

  async function nameOf(): Promise<string | undefined> {
    return (await site.core.store.read.selectFrom('identities').select('user_id').executeTakeFirst())?.user_id;
  }
});

test('a callback without its browser, with another state, or a second time signs nobody in', async (t) => {
  const site = await startSignInSite(t);
  const [ann, mallory] = [openBrowser(site), openBrowser(site)];
  const annsWay = await ann.begin();
  const mallorysWay = await mallory.begin();

  await assertProblem(await openBrowser(site).get(annsWay), 401, 'sign_in_failed'); // no cookie
  const crossed = await assertProblem(await ann.get(mallorysWay), 401, 'sign_in_failed');
  assert.match(crossed.detail, /the answer to another sign-in/);
  await assertProblem(await ann.get(annsWay.replace(/state=[^&]*/, 'state=guessed')), 401, 'sign_in_failed');
  await assertProblem(await ann.get(annsWay.replace(/state=[^&]*/, '')), 401, 'sign_in_failed');
  await assertProblem(await ann.get(`${annsWay}&state=guessed`), 401, 'sign_in_failed');
  assert.deepEqual(site.provider.grants, [], 'the provider was not even asked');
  const kept = new Map(ann.cookies);
  assert.equal((await ann.get(annsWay)).status, 200);

  for (const [name, value] of kept) ann.cookies.set(name, value);
  const { detail } = await assertProblem(await ann.get(annsWay), 401, 'sign_in_failed');
  assert.match(detail, /used already/);
  assert.equal((await auditRows(site.core.store, 'signed_in')).length, 1);
});

test('a cookie that was altered, is of a former process or is too old is none', async (t) => {
  const clock = createPassingClock();
  const site = await startSignInSite(t, { clock });
  const browser = openBrowser(site);
  const way = await browser.begin();
  const [[name = '', value = ''] = []] = browser.cookies;

  for (const other of [`A${value.slice(1)}`, value.slice(0, -2), '', 'x', '%00', value.repeat(3)]) {
    browser.cookies.set(name, other);
    await assertProblem(await browser.get(way), 401, 'sign_in_failed');
  }
  browser.cookies.set(name, value);
  clock.advance(601_000);
  await assertProblem(await browser.get(way), 401, 'sign_in_failed');
});

test('the token of a finished sign-in is for a page of ours, within two minutes', async (t) => {
  const clock = createPassingClock();
  const site = await startSignInSite(t, { clock });
  const browser = openBrowser(site);
  await browser.get(await browser.begin());

  await assertProblem(await browser.collect({ origin: 'https://evil.example' }), 403, 'forbidden');
  await assertProblem(await browser.collect({ origin: 'null' }), 403, 'forbidden');
  await assertProblem(await post(site, '/session'), 401, 'sign_in_failed');
  clock.advance(121_000);
  await assertProblem(await browser.collect(), 401, 'sign_in_failed');
  assert.deepEqual(await auditRows(site.core.store, 'token_created'), []);
});

test('a browser comes back to our own paths and to nowhere else', async (t) => {
  const site = await startSignInSite(t);
  const evil = [
    ...['https://evil.example/', '//evil.example', '/\\evil.example', '\\/evil.example', '/\t/evil.example'],
    ...[
      '/\n/evil.example',
      'javascript:alert(1)',
      'evil.example',
      '@evil.example',
      ' //evil.example',
      '',
      '///evil.example',
    ],
  ];

  for (const path of evil) {
    const answer = await openBrowser(site).get(`/api/v1/auth/oidc/login?${new URLSearchParams({ return_to: path })}`);
    await assertProblem(answer, 400, 'invalid_request');
  }
  for (const path of [
    '/',
    '/docs',
    '/.//evil.example',
    '/@evil.example',
    '/a?b=//evil.example#c',
    '/%0d%0aset-cookie:x',
  ]) {
    assert.equal(new URL(toReturnAddress(path, ORIGIN)).origin, ORIGIN);
  }
  assert.equal(toReturnAddress('/.//evil.example', ORIGIN), `${ORIGIN}//evil.example`, 'a path, behind our host');
  assertThrowsCode(() => toReturnAddress('/\\evil.example', ORIGIN), 'invalid_request');
});

test('the user info is asked when the groups are not in the id token, and only then', async (t) => {
  const site = await startSignInSite(t);
  const { script, asked } = site.provider;
  await signIn(site);
  assert.ok(!asked.includes('userinfo'));
  script.person = { sub: 'bob' };
  script.userInfo = { groups: 'fleet-viewers', preferred_username: 'bob' };

  const bob = await signIn(site);

  assert.deepEqual([bob.role, bob.user.startsWith('bob-'), asked.includes('userinfo')], ['viewer', true, true]);
});
