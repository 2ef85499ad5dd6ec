import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CreateGrant, type GrantView } from '../../../controller/http/grant-schemas.js';
import type { Principal } from '../../../controller/services.js';
import { askFor } from '../../support/asks.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER, startTestCore } from '../../support/core.js';
import { makeSandbox } from '../../support/sandboxes.js';
import { startScriptedAgent } from '../../support/scripted-agent.js';
import { createTestClock } from '../../support/test-clock.js';

const PRIME = { name: 'prime', description: 'changes something', parameters: [] };
const FLEET = { fleet: true } as const;
const BODY = { bodySha256: '1'.repeat(64) };
const PASSWORD = 'correct horse battery staple';
const HOUR_MS = 3_600_000;

type Site = Awaited<ReturnType<typeof startSite>>;

/** How a token is taken from whoever has it. */
const ENDS: readonly (readonly [what: string, end: (site: Site) => Promise<unknown>])[] = [
  ['is deleted', ({ services, login }) => services.tokens.delete(OWNER, login.id)],
  [
    'ends with a new password',
    ({ services }) => services.people.changeUser(OWNER, 'ada', { password: `${PASSWORD}!` }),
  ],
];

for (const [what, end] of ENDS) {
  test(`promise 20: a grant ends with the token it was made with when that ${what}, and those of others stay`, async (t) => {
    const site = await startSite(t);
    const { ask, grant, services } = site;
    const { id } = await grant(site.ada);
    const other = await grant(OWNER, { actions: ['drain*'] });
    assert.equal((await ask()).approved_by, `grant:${id}`);

    await end(site);

    assert.equal((await ask()).status, 'pending');
    assert.equal((await services.grants.get('default', id))?.state, 'revoked');
    assert.equal((await services.grants.get('default', other.id))?.state, 'active');
    assert.ok((await services.audit.verify({})).ok);
  });
}

test('promise 20: a token that was made through a deleted one takes its grants with it', async (t) => {
  const { services, login, ada, grant, ask } = await startSite(t);
  const child = await services.tokens.create(ada, { name: 'child' });
  const through = await services.authenticate(child.token);
  assert.ok(through !== undefined);
  await grant(through);
  assert.equal((await ask()).status, 'approved');

  await services.tokens.delete(OWNER, login.id);

  assert.equal((await ask()).status, 'pending');
});

test('promise 20: a call that was under way when its token was deleted makes no grant, alone or with an approval', async (t) => {
  const { services, login, ada, grant, ask } = await startSite(t);
  const { id, digest } = await ask();
  await services.tokens.delete(OWNER, login.id);

  await assertRejectsCode(grant(ada), 'unauthenticated');
  const wish = { scope: 'org', max_calls: null, expires_in: '1h' } as const;
  await assertRejectsCode(services.invocations.approve(ada, id, { digest, grant: wish }), 'unauthenticated');

  assert.equal((await services.invocations.get('default', id))?.status, 'pending');
  assert.deepEqual((await services.grants.list('default', { limit: 10 })).items, []);
});

/** How a token ends by itself, and how another one of the same person is taken from them. */
const ENDED: readonly (readonly [what: string, end: (site: Site) => Promise<unknown>])[] = [
  ['logged out', ({ services, login, ada }) => services.tokens.logout(ada, login.token)],
  [
    'run out',
    async ({ clock, muster }) => {
      clock.advance(13 * HOUR_MS);
      await muster.core.tidy();
    },
  ],
];
const TAKEN: readonly (readonly [what: string, take: (site: Site) => Promise<unknown>])[] = [
  ['another token of theirs is deleted', ({ services, spare }) => services.tokens.delete(OWNER, spare.id)],
  ['they get a new password', ({ services }) => services.people.changeUser(OWNER, 'ada', { password: `${PASSWORD}!` })],
];

for (const [how, end] of ENDED) {
  for (const [what, take] of TAKEN) {
    test(`promise 20: a grant stays when its token has ${how}, until ${what}`, async (t) => {
      const site = await startSite(t);
      const { id } = await site.grant(site.ada, { expires_in: '720h' });
      const other = await site.grant(OWNER, { actions: ['drain*'], expires_in: '720h' });
      await end(site);
      assert.equal((await site.ask()).approved_by, `grant:${id}`);

      await take(site);

      assert.equal((await site.ask()).status, 'pending');
      assert.equal((await site.services.grants.get('default', other.id))?.state, 'active');
      assert.ok((await site.services.audit.verify({})).ok);
    });
  }
}

test('the grants of a user who is deleted are revoked, so that nobody of that name has them whatever the clock says', async (t) => {
  const clock = createTestClock();
  const { services, grant, ask, ada } = await startSite(t, clock);
  const { token: _none, ...withoutToken } = ada;
  const { id } = await grant(withoutToken, { expires_in: '720h' });
  clock.advance(13 * HOUR_MS);
  assert.equal((await ask()).approved_by, `grant:${id}`);

  await services.people.deleteUser(OWNER, 'ada');
  clock.advance(-14 * HOUR_MS);
  await services.people.createUser(OWNER, { id: 'ada', role: 'admin' });
  clock.advance(14 * HOUR_MS);

  assert.equal((await services.grants.get('default', id))?.state, 'revoked');
  assert.equal((await ask()).status, 'pending');
});

async function startSite(t: TestScope, clock = createTestClock()) {
  const muster = await startTestCore(t, { clock });
  const { services } = muster.core;
  await services.people.createUser(OWNER, { id: OWNER.id, role: 'owner' });
  await services.people.createUser(OWNER, { id: 'ada', role: 'admin', password: PASSWORD });
  const script = { actions: [PRIME] };
  await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1', script });
  const login = await services.tokens.login('default', { user: 'ada', password: PASSWORD });
  const ada = await services.authenticate(login.token);
  assert.ok(ada !== undefined);
  const { principal: ci } = await makeSandbox(muster, 'ci');
  return {
    ...{ muster, services, login, ada, clock },
    spare: await services.tokens.create(OWNER, { user: 'ada', name: 'spare', expires_in: '720h' }),
    ask: async () => (await services.invocations.create(ci, askFor(FLEET, { action: 'prime' }), BODY)).invocation,
    grant: (by: Principal, changes: object = {}): Promise<GrantView> =>
      services.grants.create(by, CreateGrant.parse({ scope: 'org', target: FLEET, actions: ['prime'], ...changes })),
  };
}
