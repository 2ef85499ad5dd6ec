import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findUser } from '../../../controller/identity/users.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { auditRows } from '../../support/audit-rows.js';
import { OWNER } from '../../support/core.js';
import { assertProblem } from '../../support/http.js';
import { openBrowser, refusedSignIn, type SignInSite, signIn, startSignInSite } from '../../support/sign-in.js';

const ADMIN = { id: 'root', org: 'default', role: 'admin' } as const;
const PASSWORD = 'correct horse battery';

const statusWith = async ({ url }: SignInSite, token: string): Promise<number> =>
  (await fetch(`${url}/api/v1/me`, { headers: { authorization: `Bearer ${token}` } })).status;

test('the role is that of the highest group, and follows the groups at each sign-in', async (t) => {
  const site = await startSignInSite(t);
  const { script } = site.provider;
  script.person = { sub: 's', groups: ['fleet-viewers', 'fleet-owners', 'others', 'constructor', '__proto__', 7] };
  const first = await signIn(site);
  script.person = { sub: 's', groups: ['fleet-viewers'] };
  const second = await signIn(site);

  assert.deepEqual([first.role, second.role, first.user], ['owner', 'viewer', second.user]);
  assert.match(first.user, /^user-[0-9a-f]{12}$/, 'who gives no name gets one');
  const { people, authenticate } = site.core.core.services;
  assert.equal((await authenticate(first.token))?.role, 'viewer', 'in force for the sign-in before as well');
  assert.deepEqual(
    (await people.listUsers('default', { limit: 9 })).items.map(({ id, role }) => [id, role]),
    [
      ['owner', 'owner'],
      [second.user, 'viewer'],
    ],
  );
  const linked = (await auditRows(site.core.store, 'identity_linked')).map(({ actor, subject }) => [actor, subject]);
  assert.deepEqual(linked, [['controller', `user:${second.user}`]], 'once, at the first sign-in');
  const [changed] = await auditRows(site.core.store, 'user_changed');
  assert.deepEqual([changed?.actor, changed?.subject], ['controller', `user:${second.user}`]);
  const details = { role: 'viewer', role_before: 'owner', disabled: false, password: false, fingerprint: null };
  assert.deepEqual(changed?.details, details);
  assert.deepEqual(
    (await auditRows(site.core.store, 'signed_in')).map(({ details }) => details),
    [
      { role: 'owner', way: 'browser' },
      { role: 'viewer', way: 'browser' },
    ],
  );
});

test('whom no group gives a role is refused and loses every token, with a row of the audit trail', async (t) => {
  const site = await startSignInSite(t);
  const ann = await signIn(site);
  const { services } = site.core.core;
  const program = await services.tokens.create(ADMIN, { user: ann.user, name: 'program' });
  site.provider.script.person = { sub: 'ann-at-work', groups: ['canteen'] };

  const { detail } = await assertProblem(await refusedSignIn(site), 403, 'forbidden');

  assert.match(detail, /^None of your groups at the provider has a role here/);
  assert.deepEqual([await statusWith(site, ann.token), await statusWith(site, program.token)], [401, 401]);
  const refused = { actor: 'controller', subject: `user:${ann.user}`, details: { reason: 'no_role', way: 'browser' } };
  assert.deepEqual(await auditRows(site.core.store, 'sign_in_refused'), [refused]);
  site.provider.script.person = { sub: 'nobody-yet', preferred_username: 'bob', groups: [] };
  await assertProblem(await refusedSignIn(site), 403, 'forbidden');
  assert.equal((await services.people.listUsers('default', { limit: 9 })).items.length, 2, 'no user is made for them');
});

test('who has lost every group gets no token for a sign-in that was finished before', async (t) => {
  const site = await startSignInSite(t);
  const browser = openBrowser(site);
  await browser.get(await browser.begin());
  site.provider.script.person = { sub: 'ann-at-work', groups: ['canteen'] };

  await assertProblem(await refusedSignIn(site), 403, 'forbidden');

  await assertProblem(await browser.collect(), 401, 'sign_in_failed');
  assert.deepEqual(await auditRows(site.core.store, 'token_created'), []);
});

test('a usual role is for those whom no group gives one', async (t) => {
  const site = await startSignInSite(t, { oidc: { default_role: 'operator' } });
  const roles = [];
  for (const groups of [['fleet-viewers'], [], undefined, { fleet: 'owners' }]) {
    site.provider.script.person = { sub: 's', groups };
    roles.push((await signIn(site)).role);
  }
  assert.deepEqual(roles, ['viewer', 'operator', 'operator', 'operator']);
});

test('nobody takes over a user of the same name or address: people are told apart by issuer and subject', async (t) => {
  const site = await startSignInSite(t);
  const { people } = site.core.core.services;
  await people.createUser(OWNER, { id: 'ann@example.org', role: 'admin', password: PASSWORD });
  const { script } = site.provider;
  script.person = {
    sub: '1',
    email: 'ann@example.org',
    preferred_username: 'ann@example.org',
    groups: ['fleet-viewers'],
  };
  const first = await signIn(site);
  script.person = { ...script.person, sub: '2' };
  const second = await signIn(site);
  script.person = { ...script.person, sub: '1', preferred_username: 'anna', email: 'other@example.org' };
  const third = await signIn(site);

  assert.equal(new Set(['ann@example.org', first.user, second.user]).size, 3);
  assert.equal(third.user, first.user, 'another name at the provider is the same person');
  const local = await findUser(site.core.store.read, 'default', 'ann@example.org');
  assert.deepEqual([local?.role, local?.password_hash === null], ['admin', false]);
});

test('hostile names become harmless ones, and a name that somebody has already is not given away', async (t) => {
  const site = await startSignInSite(t);
  const { script } = site.provider;
  const names = ['../../etc', '<script>x</script>', 'a\u001b[31m\n', '名前', '-', 'x'.repeat(512), 'controller'];
  for (const [index, name] of names.entries()) {
    script.person = { sub: `s${index}`, preferred_username: name, groups: ['fleet-viewers'] };
    assert.match((await signIn(site)).user, /^[A-Za-z0-9][A-Za-z0-9_.@-]{0,48}-[0-9a-f]{12}$/);
  }

  script.person = { sub: 'taken', preferred_username: 'eve', groups: ['canteen'] };
  await refusedSignIn(site);
  const [refused] = (await auditRows(site.core.store, 'sign_in_refused')).slice(-1);
  const id = refused?.subject.slice('user:'.length) ?? '';
  await site.core.core.services.people.createUser(OWNER, { id, role: 'admin' });
  script.person = { ...script.person, groups: ['fleet-viewers'] };
  const { detail } = await assertProblem(await refusedSignIn(site), 403, 'forbidden');
  assert.match(detail, /another user of the name/);
});

test('a user who was disabled or deleted here stays out, until an admin says otherwise', async (t) => {
  const site = await startSignInSite(t);
  const { people } = site.core.core.services;
  const { user, token } = await signIn(site);

  await people.changeUser(ADMIN, user, { disabled: true });
  assert.match((await assertProblem(await refusedSignIn(site), 403, 'forbidden')).detail, /disabled here/);
  await people.changeUser(ADMIN, user, { disabled: false });
  assert.equal((await signIn(site)).user, user);
  await people.deleteUser(ADMIN, user);
  assert.equal(await statusWith(site, token), 401);
  assert.match((await assertProblem(await refusedSignIn(site), 403, 'forbidden')).detail, /deleted here/);
  await people.createUser(ADMIN, { id: user, role: 'viewer' });
  assert.equal((await signIn(site)).role, 'operator');

  const browser = openBrowser(site);
  await browser.get(await browser.begin());
  await people.changeUser(ADMIN, user, { disabled: true });
  await assertProblem(await browser.collect(), 401, 'sign_in_failed');
});

test('only an owner sets a password for somebody of the provider, and they are never the last owner', async (t) => {
  const site = await startSignInSite(t);
  const { people } = site.core.core.services;
  const { user } = await signIn(site);
  await assertRejectsCode(people.changeUser(ADMIN, user, { password: PASSWORD }), 'forbidden');
  await people.deleteUser(ADMIN, user);
  await assertRejectsCode(people.createUser(ADMIN, { id: user, role: 'viewer', password: PASSWORD }), 'forbidden');
  await people.createUser(ADMIN, { id: user, role: 'viewer' });
  assert.equal((await people.changeUser(OWNER, user, { password: PASSWORD }))?.has_password, true);

  site.provider.script.person = { sub: 'boss', groups: ['fleet-owners'] };
  const boss = await signIn(site);
  assert.equal(boss.role, 'owner');
  await assertRejectsCode(people.deleteUser({ ...OWNER, id: boss.user }, 'owner'), 'conflict');
  await assertRejectsCode(people.changeUser(OWNER, 'owner', { role: 'viewer' }), 'conflict');
});

test('muster verify finds an identity that was moved to another user, taken away or put in', async (t) => {
  const site = await startSignInSite(t);
  const { store, core } = site.core;
  const { user } = await signIn(site);
  site.provider.script.person = { sub: 'bob', groups: ['fleet-viewers'] };
  const bob = await signIn(site);
  const findings = async (): Promise<string[]> => {
    const { findings: found } = await core.services.audit.verify({});
    return found.map(({ subject, detail }) => `${subject}: ${detail}`);
  };
  assert.deepEqual(await findings(), []);

  await store.write(async (tx) => {
    await tx.updateTable('identities').set({ subject: 'mallory' }).where('user_id', '=', user).execute();
    await tx.deleteFrom('identities').where('user_id', '=', bob.user).execute();
    const row = {
      org: 'default',
      issuer: 'https://evil.example',
      subject: 'eve',
      user_id: 'owner',
      created_at: Date.now(),
    };
    await tx.insertInto('identities').values(row).execute();
  });

  const found = (await findings()).sort();
  assert.deepEqual(
    found,
    [
      `user:${user}: it is somebody else at the provider than the trail says`,
      'user:owner: no row of the audit trail tells of who it is at the provider',
      `user:${bob.user}: the trail tells who it is at the provider, and the record is gone`,
    ].sort(),
  );
});
