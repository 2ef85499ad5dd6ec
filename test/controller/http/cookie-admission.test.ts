import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import type { TestScope } from '../../support/broker.js';
import { OWNER } from '../../support/core.js';
import { askPlainly } from '../../support/plain-http.js';
import { makeSandbox } from '../../support/sandboxes.js';
import {
  assertRefused,
  beginSession,
  PASSWORD,
  postAs,
  type SessionSite,
  signInBrowser,
  startSessionSite,
  tokenOfAnn,
} from '../../support/sessions.js';
import { createTestClock } from '../../support/test-clock.js';

const ME = '/api/v1/me';
const TOKENS = '/api/v1/tokens';
const JSON_TYPE = { 'content-type': 'application/json' };
const ASK = { name: 'made by a page' };

test('with the cookie alone our own page reads and changes what its user may', async (t) => {
  const { site, cookie } = await startSite(t);

  const me = await askPlainly(site.url, { path: ME, headers: { cookie, 'sec-fetch-site': 'same-origin' } });
  const made = await postAs(site, TOKENS, ASK, { cookie, 'sec-fetch-site': 'same-origin' });
  const typed = await askPlainly(site.url, { path: ME, headers: { cookie, 'sec-fetch-site': 'none' } });

  assert.deepEqual(JSON.parse(me.text), { id: 'ann', org: 'default', role: 'operator' });
  assert.equal(made.status, 201, made.text);
  assert.equal(typed.status, 200);
  assertRefused(await askPlainly(site.url, { path: '/api/v1/audit', headers: { cookie } }), 403, 'forbidden');
});

test('what a page of another site makes a browser send with the cookie is refused, and changes nothing', async (t) => {
  const { site, cookie } = await startSite(t);
  const body = JSON.stringify(ASK);
  const own = { cookie, ...JSON_TYPE, origin: site.origin };
  const forged: readonly Readonly<Record<string, string>>[] = [
    { ...own, origin: 'https://evil.example' },
    { ...own, origin: 'null' },
    { ...own, origin: '' },
    { ...own, origin: 'http://127.0.0.1:1' },
    { ...own, origin: `${site.origin}.evil.example` },
    { ...own, origin: site.origin.replace('http://', 'ftp://') },
    { ...own, 'sec-fetch-site': 'cross-site' },
    { ...own, 'sec-fetch-site': 'same-site' },
    { cookie, ...JSON_TYPE },
    { ...own, 'content-type': 'application/x-www-form-urlencoded' },
    { ...own, 'content-type': 'text/plain' },
    { ...own, 'content-type': 'multipart/form-data; boundary=x' },
    { ...own, 'content-type': 'application/json-evil' },
    { cookie, origin: site.origin },
  ];

  for (const headers of forged) {
    const answer = await askPlainly(site.url, { method: 'POST', path: TOKENS, headers, body });
    assertRefused(answer, 403, 'forbidden');
  }
  const chunked = { cookie, origin: site.origin, 'content-type': 'text/plain', 'transfer-encoding': 'chunked' };
  assertRefused(await askPlainly(site.url, { method: 'POST', path: TOKENS, headers: chunked }), 403, 'forbidden');
  for (const method of ['PUT', 'PATCH', 'DELETE']) {
    const path = method === 'PUT' ? '/api/v1/me/password' : method === 'PATCH' ? '/api/v1/users/ann' : `${TOKENS}/0`;
    const answer = await askPlainly(site.url, { method, path, headers: { cookie, origin: 'https://evil.example' } });
    assertRefused(answer, 403, 'forbidden');
  }
  for (const from of ['cross-site', 'same-site', 'nonsense']) {
    const read = await askPlainly(site.url, { path: ME, headers: { cookie, 'sec-fetch-site': from } });
    assertRefused(read, 403, 'forbidden');
  }
  const { items } = await site.core.core.services.tokens.list(OWNER, { limit: 10 });
  assert.deepEqual(
    items.map(({ name }) => name),
    ['browser'],
  );
});

test('no page of another site signs a browser in as somebody else', async (t) => {
  const site = await startSessionSite(t);
  const proof = { user: 'ann', password: PASSWORD };
  for (const headers of [{ origin: 'https://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }]) {
    const answer = await beginSession(site, proof, headers);
    assertRefused(answer, 403, 'forbidden');
    assert.equal(answer.headers['set-cookie'], undefined);
  }
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  assertRefused(await beginSession(site, proof, form), 415, 'unsupported_media_type');
});

test('behind a proxy the public address is ours, and of the public host no page that came in clear', async (t) => {
  const started = await startSessionSite(t, { config: { public_url: 'https://muster.example.org' } });
  const site = { ...started, origin: 'https://muster.example.org' };
  const { cookie } = await signInBrowser(site);
  const ask = (origin: string, host?: string) =>
    postAs(site, TOKENS, ASK, { cookie, origin, ...(host === undefined ? {} : { host }) });

  assert.equal((await ask('https://muster.example.org')).status, 201, 'a proxy that writes the Host anew');
  assert.equal((await ask('https://muster.example.org', 'muster.example.org')).status, 201);
  assertRefused(await ask('http://muster.example.org', 'muster.example.org'), 403, 'forbidden');
  assertRefused(await ask('https://evil.example', 'muster.example.org'), 403, 'forbidden');
});

test('an Authorization header counts alone, whatever the cookie says', async (t) => {
  const { site, cookie } = await startSite(t);
  const { token } = await site.core.core.services.tokens.create(OWNER, { user: 'owner', name: 'cli' });
  const ask = (authorization: string) => askPlainly(site.url, { path: ME, headers: { cookie, authorization } });

  assert.equal(JSON.parse((await ask(`Bearer ${token}`)).text).id, 'owner');
  for (const wrong of ['Bearer mst_wrong', 'Bearer', '', 'Basic eDp5']) {
    assertRefused(await ask(wrong), 401, 'unauthenticated');
  }
  const headers = { cookie, authorization: `Bearer ${token}`, 'sec-fetch-site': 'cross-site' };
  assert.equal((await askPlainly(site.url, { path: ME, headers })).status, 200, 'no page of another site can send it');
});

test('what cannot be a session in a cookie is none', async (t) => {
  const { site, cookie } = await startSite(t);
  const { token: sandbox } = await makeSandbox(site.core, 'ci');
  const [, value = ''] = cookie.split('=');
  for (const each of [
    'muster-session=',
    'muster-session=;',
    `muster-session="${value}"`,
    `muster-session=${sandbox}`,
    `muster-session=${value}x`,
    `${cookie}; ${cookie}`,
    `muster-session=other; ${cookie}`,
    `${cookie}; muster-session=`,
    `Muster-Session=${value}`,
    `__Host-muster-session=${value}`,
    `muster-session=${'x'.repeat(8000)}`,
    ';;;=;',
  ]) {
    assertRefused(await askPlainly(site.url, { path: ME, headers: { cookie: each } }), 401, 'unauthenticated');
  }
  const crowd = `a=b; ${cookie}; theme=${'x'.repeat(4000)}`;
  assert.equal((await askPlainly(site.url, { path: ME, headers: { cookie: crowd } })).status, 200);
  const giant = await askPlainly(site.url, { path: ME, headers: { cookie: `${cookie}; x=${'x'.repeat(20_000)}` } });
  assertRefused(giant, 431, 'headers_too_large');
});

test('a cookie whose name a neighbour may set does not pass for the one that is bound to this host', async (t) => {
  const started = await startSessionSite(t, { config: { public_url: 'https://muster.example.org' } });
  const site = { ...started, origin: 'https://muster.example.org' };
  const { cookie } = await signInBrowser(site);
  const read = (sent: string) => askPlainly(site.url, { path: ME, headers: { cookie: sent } });

  for (const blank of ['\u00a0', '\u00a0 ', ' \u00a0', '\u0085', 'Â\u00a0', 'â\u0080\u0080']) {
    assertRefused(await read(`${blank}${cookie}`), 401, 'unauthenticated');
    assertRefused(await read(`theme=dark; ${blank}${cookie}`), 401, 'unauthenticated');
    const own = await read(`${blank}__Host-muster-session=other; ${cookie}`);
    assert.equal(own.status, 200, 'and nobody is signed out by one');
  }
  assert.equal((await read(`theme=dark;\t ${cookie}`)).status, 200);
});

test('the cookie counts below /api/v1 and nowhere else', async (t) => {
  const { site, cookie } = await startSite(t, { config: { mcp: true } });
  const headers = { cookie, origin: site.origin };
  const elsewhere = [
    { method: 'POST', path: '/mcp', status: 401 },
    { method: 'POST', path: '/api/containers/box/actions', status: 401 },
    { method: 'POST', path: '/api/actions/queue', status: 403 },
    { method: 'GET', path: '/api/actions/pending?machine_id=poll-1', status: 403 },
    { method: 'GET', path: '/018f2a10-0000-7000-8000-000000000000/actions/available', status: 401 },
    { method: 'POST', path: '/018f2a10-0000-7000-8000-000000000000/actions/invoke', status: 401 },
    { method: 'PUT', path: '/v1/nodes/poll-1/capabilities', status: 401 },
  ];
  for (const { method, path, status } of elsewhere) {
    const isAsking = method !== 'GET';
    const answer = await askPlainly(site.url, {
      ...{ method, path, headers: isAsking ? { ...headers, ...JSON_TYPE } : headers },
      ...(isAsking ? { body: '{}' } : {}),
    });
    assert.equal(answer.status, status, `${path} ${answer.text}`);
    assert.match(answer.text, /token|unauthorized/i, path);
  }
});

test('what is made through a session once follows from its token, which a copy of the store does not hold', async (t) => {
  const { site, cookie } = await startSite(t);
  const other = await signInBrowser(site);
  const ask = (from: string) => postAs(site, TOKENS, ASK, { cookie: from, 'idempotency-key': 'the-same-key' });

  const first = await ask(cookie);
  const again = await ask(cookie);
  const elsewhere = await ask(other.cookie);

  assert.equal(first.status, 201, first.text);
  assert.equal(first.text, again.text);
  assertRefused(elsewhere, 409, 'idempotency_conflict');
});

test('a session of a person whose token has run out says so', async (t) => {
  const clock = createTestClock();
  const { site, cookie } = await startSite(t, { clock });
  clock.advance(12 * 3_600_000);
  const answer = await askPlainly(site.url, { path: ME, headers: { cookie } });
  assertRefused(answer, 401, 'unauthenticated');
  assert.match(answer.text, /sign in again/);
});

test('promise 20: streams that a cookie has opened end with its session, within 5 s', async (t) => {
  const { site, cookie } = await startSite(t, { limits: { checkMs: 50 } });
  const socket = await openWebSocket(t, site, { cookie, origin: site.origin });
  const signal = AbortSignal.timeout(5_000);
  const closed = once(socket, 'close', { signal });
  const events = await fetch(`${site.url}/api/v1/events`, { headers: { cookie }, signal });
  assert.equal(events.status, 200);

  const headers = { cookie, origin: site.origin };
  await askPlainly(site.url, { method: 'DELETE', path: '/api/v1/auth/session', headers });

  assert.match(await events.text(), /event: end\n(.*\n)*?data: .*unauthenticated/);
  assert.deepEqual((await closed)[0], 1008);
});

test('a WebSocket with the cookie opens from our own page and from no other', async (t) => {
  const { site, cookie } = await startSite(t);
  for (const origin of [undefined, 'null', 'https://evil.example', 'http://127.0.0.1:1']) {
    const headers = { cookie, ...(origin === undefined ? {} : { origin }) };
    await assert.rejects(openWebSocket(t, site, headers), /403/, origin);
  }
  const { token } = await tokenOfAnn(site);
  const socket = await openWebSocket(t, site, { authorization: `Bearer ${token}` });
  assert.equal(socket.readyState, WebSocket.OPEN, 'programs send no Origin');
  const own = await openWebSocket(t, site, { cookie, origin: site.origin });
  assert.equal(own.readyState, WebSocket.OPEN);
});

async function startSite(
  t: TestScope,
  options: Parameters<typeof startSessionSite>[1] = {},
): Promise<{ site: SessionSite; cookie: string }> {
  const site = await startSessionSite(t, options);
  return { site, cookie: (await signInBrowser(site)).cookie };
}

async function openWebSocket(
  t: TestScope,
  { url }: SessionSite,
  headers: Readonly<Record<string, string>>,
): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/api/v1/events`, { headers });
  t.after(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}
