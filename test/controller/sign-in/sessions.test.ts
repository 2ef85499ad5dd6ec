import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from 'kysely';
import { SessionLink } from '../../../controller/http/session-schemas.js';
import { OWNER } from '../../support/core.js';
import { askPlainly } from '../../support/plain-http.js';
import { makeSandbox } from '../../support/sandboxes.js';
import {
  assertRefused,
  beginSession,
  cookieOf,
  PASSWORD,
  postAs,
  type SessionSite,
  signInBrowser,
  startSessionSite,
  tokenOfAnn,
} from '../../support/sessions.js';
import { createPassingClock } from '../../support/test-clock.js';

const SESSION = '/api/v1/auth/session';
const HOUR_MS = 3_600_000;

test('a password signs a browser in for 12 h: the token is in a cookie that no script reads, and is listed as browser', async (t) => {
  const site = await startSessionSite(t);

  const answer = await beginSession(site, { user: 'ann', password: PASSWORD });

  assert.equal(answer.status, 201, answer.text);
  const { expires_at, ...session } = JSON.parse(answer.text);
  assert.deepEqual(session, { id: 'ann', org: 'default', role: 'operator' });
  const lifeMs = Date.parse(expires_at) - Date.now();
  assert.ok(lifeMs > 11.9 * HOUR_MS && lifeMs <= 12 * HOUR_MS, `${lifeMs} ms`);
  const [line = ''] = answer.headers['set-cookie'] ?? [];
  assert.match(
    line,
    /^muster-session=mst_[a-z0-9]+_[a-f0-9]{64}; Max-Age=431\d\d; Path=\/; HttpOnly; SameSite=Strict$/,
  );
  assert.equal(answer.headers['cache-control'], 'no-store');
  assert.doesNotMatch(answer.text, /mst_/);
  const { items } = await site.core.core.services.tokens.list(OWNER, { limit: 10 });
  assert.deepEqual(
    items.map(({ name, user, role }) => ({ name, user, role })),
    [{ name: 'browser', user: 'ann', role: 'operator' }],
  );
});

test('behind https the cookie is bound to the host and goes over https alone', async (t) => {
  const started = await startSessionSite(t, { config: { public_url: 'https://muster.example.org' } });
  const site = { ...started, origin: 'https://muster.example.org' };

  const answer = await beginSession(site, { user: 'ann', password: PASSWORD }, { host: 'muster.example.org' });

  const [line = ''] = answer.headers['set-cookie'] ?? [];
  assert.match(line, /^__Host-muster-session=mst_\S+; Max-Age=\d+; Path=\/; HttpOnly; SameSite=Strict; Secure$/);
  const me = (cookie: string) => askPlainly(site.url, { path: '/api/v1/me', headers: { cookie } });
  assert.equal((await me(cookieOf(answer))).status, 200);
  assertRefused(await me(cookieOf(answer).replace('__Host-', '')), 401, 'unauthenticated');
});

test('over a network in clear no browser signs in, whatever it knows', async (t) => {
  const site = await startSessionSite(t);
  for (const host of ['muster.example.org', '192.0.2.7:8080', '', 'a b', '127.0.0.1.example.org']) {
    const headers = { host, origin: `http://${host}` };
    const answer = await askPlainly(site.url, {
      ...{ method: 'POST', path: SESSION, body: JSON.stringify({ user: 'ann', password: PASSWORD }) },
      headers: { ...headers, 'content-type': 'application/json' },
    });
    assert.ok([400, 403].includes(answer.status), answer.text);
    assert.equal(answer.headers['set-cookie'], undefined);
  }
  assert.deepEqual((await site.core.core.services.tokens.list(OWNER, { limit: 10 })).items, []);
});

test('with an https address the page of another one in clear signs nobody in, where no browser would keep the cookie', async (t) => {
  const site = await startSessionSite(t, { config: { public_url: 'https://muster.example.org' } });
  const proof = { user: 'ann', password: PASSWORD };
  const from = (origin: string) => beginSession(site, proof, { origin, host: new URL(origin).host });

  for (const origin of ['http://192.0.2.7:8080', 'http://muster.example.org:8080', 'http://muster.example.org']) {
    const answer = await from(origin);
    assertRefused(answer, 403, 'forbidden');
    assert.equal(answer.headers['set-cookie'], undefined);
  }
  assert.deepEqual((await site.core.core.services.tokens.list(OWNER, { limit: 10 })).items, []);
  assert.equal((await from('https://muster.example.org')).status, 201);
  assert.equal((await from('http://localhost:8080')).status, 201, 'on the machine itself');
});

test('a wrong password, and one too many, are refused as by POST /login', async (t) => {
  const site = await startSessionSite(t);

  const wrong = await beginSession(site, { user: 'ann', password: 'wrong' });
  const unknown = await beginSession(site, { user: 'nobody', password: PASSWORD });

  assertRefused(wrong, 401, 'unauthenticated');
  assertRefused(unknown, 401, 'unauthenticated');
  assert.equal(JSON.parse(wrong.text).detail, JSON.parse(unknown.text).detail);
  for (let tries = 1; tries < 10; tries += 1) await postAs(site, '/api/v1/login', { user: 'ann', password: 'wrong' });
  assertRefused(await beginSession(site, { user: 'ann', password: PASSWORD }), 429, 'rate_limited');
});

test('a body that is none of the four proofs, or two of them, is refused', async (t) => {
  const site = await startSessionSite(t);
  for (const body of [
    {},
    { user: 'ann' },
    { token: '' },
    { code: 7 },
    { oidc: false },
    { user: 'ann', password: PASSWORD, token: 'x' },
    { token: 'x', code: 'y' },
    [],
    { token: 'x'.repeat(513) },
  ]) {
    assertRefused(await beginSession(site, body), 400, 'invalid_request');
  }
  assertRefused(await beginSession(site, { oidc: true }), 404, 'sign_in_not_set_up');
});

test('an API token of a person signs a browser in, with its role, and both end together', async (t) => {
  const site = await startSessionSite(t);
  const { id, token } = await tokenOfAnn(site, 'viewer');

  const { cookie, session } = await signInBrowser(site, { token });

  assert.equal(session.role, 'viewer');
  assert.equal((await readMe(site, cookie)).status, 200);
  await site.core.core.services.tokens.delete(OWNER, id);
  assertRefused(await readMe(site, cookie), 401, 'unauthenticated');
});

test('no token of a sandbox, of a node or of nobody signs a browser in, and none is told apart', async (t) => {
  const site = await startSessionSite(t);
  const { polling, tokens, people } = site.core.core.services;
  const { token: sandbox } = await makeSandbox(site.core, 'ci');
  const { token: node } = await polling.createToken(OWNER, { node: 'poll-1', groups: [], labels: {} });
  const { token: deleted, id } = await tokenOfAnn(site);
  await tokens.delete(OWNER, id);
  await people.createUser(OWNER, { id: 'ben', role: 'viewer' });
  const { token: disabled } = await tokens.create(OWNER, { user: 'ben', name: 'cli' });
  await people.changeUser(OWNER, 'ben', { disabled: true });

  const details = new Set<string>();
  for (const token of [sandbox, node, deleted, disabled, 'mst_0000000000000000_x', `${deleted.slice(0, -1)}x`, '\n']) {
    const answer = await beginSession(site, { token });
    assertRefused(answer, 401, 'unauthenticated');
    details.add(JSON.parse(answer.text).detail);
  }
  assert.equal(details.size, 1);
});

test('a session of a token that ends sooner ends with it', async (t) => {
  const clock = createPassingClock();
  const site = await startSessionSite(t, { clock });
  const { tokens } = site.core.core.services;
  const { token, expires_at } = await tokens.create(OWNER, { user: 'ann', name: 'short', expires_in: '1h' });

  const { cookie, session } = await signInBrowser(site, { token });

  assert.equal(session.expires_at, expires_at);
  clock.advance(HOUR_MS);
  assertRefused(await readMe(site, cookie), 401, 'unauthenticated');
});

test('signing out ends the token behind the cookie, and is nothing without one', async (t) => {
  const site = await startSessionSite(t);
  const { cookie } = await signInBrowser(site);
  const leave = (headers: Readonly<Record<string, string>>) =>
    askPlainly(site.url, { method: 'DELETE', path: SESSION, headers });

  assertRefused(await leave({ cookie }), 403, 'forbidden');
  assertRefused(await leave({ cookie, origin: 'https://evil.example' }), 403, 'forbidden');
  assertRefused(await leave({ cookie, origin: 'null' }), 403, 'forbidden');
  assert.equal((await readMe(site, cookie)).status, 200, 'nobody else has signed it out');
  const left = await leave({ cookie, origin: site.origin });

  assert.equal(left.status, 204);
  assert.equal(left.headers['set-cookie']?.[0], 'muster-session=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict');
  assertRefused(await readMe(site, cookie), 401, 'unauthenticated');
  assert.deepEqual((await site.core.core.services.tokens.list(OWNER, { limit: 10 })).items, []);
  assert.equal((await leave({ cookie, origin: site.origin })).status, 204, 'again');
  assert.equal((await leave({})).status, 204, 'without a session');
});

test('a new password ends the sessions of browsers, and a disabled user has none', async (t) => {
  const site = await startSessionSite(t);
  const { people } = site.core.core.services;
  const first = await signInBrowser(site);
  await people.changeUser(OWNER, 'ann', { password: 'another long password' });
  assertRefused(await readMe(site, first.cookie), 401, 'unauthenticated');

  const second = await signInBrowser(site, { user: 'ann', password: 'another long password' });
  await people.changeUser(OWNER, 'ann', { disabled: true });
  assertRefused(await readMe(site, second.cookie), 401, 'unauthenticated');
  assertRefused(await beginSession(site, { user: 'ann', password: 'another long password' }), 401, 'unauthenticated');
});

test('a link signs a browser in once, as whoever made it and at most with their role, until their token ends', async (t) => {
  const site = await startSessionSite(t);
  const { id, token } = await tokenOfAnn(site, 'viewer');
  const { code } = await makeLink(site, token);

  const answers = await Promise.all(Array.from({ length: 8 }, () => beginSession(site, { code })));

  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array(7).fill(401)]);
  const won = answers.find(({ status }) => status === 201);
  assert.ok(won);
  const { expires_at: _, ...session } = JSON.parse(won.text);
  assert.deepEqual(session, { id: 'ann', org: 'default', role: 'viewer' });
  assertRefused(await beginSession(site, { code }), 401, 'unauthenticated');
  assertRefused(await beginSession(site, { code: 'f'.repeat(64) }), 401, 'unauthenticated');
  assert.equal((await readMe(site, cookieOf(won))).status, 200);
  await site.core.core.services.tokens.delete(OWNER, id);
  assertRefused(await readMe(site, cookieOf(won)), 401, 'unauthenticated');
});

test('a link lasts two minutes, and no longer than the token, the role and the user behind it', async (t) => {
  const clock = createPassingClock();
  const site = await startSessionSite(t, { clock });
  const { people, tokens } = site.core.core.services;
  const { id, token } = await tokenOfAnn(site);

  const late = await makeLink(site, token);
  assert.ok(Math.abs(Date.parse(late.expires_at) - clock.nowMs() - 120_000) < 10_000, late.expires_at);
  clock.advance(120_000);
  assertRefused(await beginSession(site, { code: late.code }), 401, 'unauthenticated');

  const lowered = await makeLink(site, token);
  await people.changeUser(OWNER, 'ann', { role: 'viewer' });
  assert.equal((await signInBrowser(site, { code: lowered.code })).session.role, 'viewer');

  const disabled = await makeLink(site, token);
  await people.changeUser(OWNER, 'ann', { disabled: true });
  assertRefused(await beginSession(site, { code: disabled.code }), 401, 'unauthenticated');
  await people.changeUser(OWNER, 'ann', { disabled: false });

  const revoked = await makeLink(site, token);
  await tokens.delete(OWNER, id);
  assertRefused(await beginSession(site, { code: revoked.code }), 401, 'unauthenticated');
});

test('a link of somebody else is refused where somebody is signed in, so that nobody works unawares in another name', async (t) => {
  const site = await startSessionSite(t);
  const { people, tokens } = site.core.core.services;
  await people.createUser(OWNER, { id: 'mallory', role: 'viewer' });
  const { token: ofMallory } = await tokens.create(OWNER, { user: 'mallory', name: 'cli' });
  const { cookie } = await signInBrowser(site);
  const { code } = await makeLink(site, ofMallory);

  const lured = await beginSession(site, { code }, { cookie });

  assertRefused(lured, 409, 'signed_in_already');
  assert.match(lured.text, /signed in as ann, and the link is of mallory/);
  assert.equal(lured.headers['set-cookie'], undefined);
  assert.equal(JSON.parse((await readMe(site, cookie)).text).id, 'ann');
  assertRefused(await beginSession(site, { code }), 401, 'unauthenticated');

  const { token } = await tokenOfAnn(site, 'viewer');
  const own = await beginSession(site, { code: (await makeLink(site, token)).code }, { cookie });
  assert.equal(JSON.parse(own.text).role, 'viewer', 'one of their own is taken');
  await askPlainly(site.url, { method: 'DELETE', path: SESSION, headers: { cookie, origin: site.origin } });
  const after = await beginSession(site, { code: (await makeLink(site, ofMallory)).code }, { cookie });
  assert.equal(JSON.parse(after.text).id, 'mallory', 'a session that has ended is none');
});

test('of one user ten links are open at once, and nobody pushes out those of others', async (t) => {
  const site = await startSessionSite(t);
  const { token } = await tokenOfAnn(site);
  await site.core.core.services.people.createUser(OWNER, { id: 'ben', role: 'viewer' });
  const { token: other } = await site.core.core.services.tokens.create(OWNER, { user: 'ben', name: 'cli' });

  const { code: ofBen } = await makeLink(site, other);
  const { code: first } = await makeLink(site, token);
  for (let count = 0; count < 10; count += 1) await makeLink(site, token);

  assertRefused(await beginSession(site, { code: first }), 401, 'unauthenticated');
  assert.equal((await signInBrowser(site, { code: ofBen })).session.id, 'ben');
});

test('neither a session nor a link is in the store in clear, and each leaves its audit row', async (t) => {
  const site = await startSessionSite(t);
  const { token } = await tokenOfAnn(site);
  const { code } = await makeLink(site, token);
  const { cookie } = await signInBrowser(site, { code });
  const { read } = site.core.store;

  const tables = await read.introspection.getTables();
  const stored = await Promise.all(
    tables.map(({ name }) => sql`select * from ${sql.table(name)}`.execute(read).then(({ rows }) => rows)),
  );

  const [, id = '', secret = ''] = cookie.split('_');
  assert.ok(JSON.stringify(stored).includes(id));
  for (const hidden of [secret, code]) assert.ok(!JSON.stringify(stored).includes(hidden));
  const rows = await read
    .selectFrom('audit')
    .select(['event', 'actor', 'subject'])
    .where('event', 'in', ['session_link_created', 'token_created'])
    .where('actor', '=', 'ann')
    .orderBy('seq')
    .execute();
  assert.deepEqual(rows, [
    { event: 'session_link_created', actor: 'ann', subject: 'user:ann' },
    { event: 'token_created', actor: 'ann', subject: `token:${id}` },
  ]);
});

test('how people may sign in is said to everybody', async (t) => {
  const site = await startSessionSite(t);
  const answer = await askPlainly(site.url, { path: '/api/v1/auth/methods' });
  assert.deepEqual(JSON.parse(answer.text), { password: true, oidc: false });
});

function readMe(site: SessionSite, cookie: string) {
  return askPlainly(site.url, { path: '/api/v1/me', headers: { cookie } });
}

async function makeLink(site: SessionSite, token: string): Promise<SessionLink> {
  const answer = await askPlainly(site.url, {
    ...{ method: 'POST', path: '/api/v1/auth/session-links' },
    headers: { authorization: `Bearer ${token}` },
  });
  assert.equal(answer.status, 201, answer.text);
  return SessionLink.parse(JSON.parse(answer.text));
}
