import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Principal } from '../../../controller/services.js';
import { askFor } from '../../support/asks.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { auditRows } from '../../support/audit-rows.js';
import { OWNER, startTestCore, type TestCore } from '../../support/core.js';
import { setPolicy } from '../../support/policies.js';
import { makeSandbox } from '../../support/sandboxes.js';
import { startScriptedAgent } from '../../support/scripted-agent.js';

const BODY = { bodySha256: '1'.repeat(64) };
const PRIME = { name: 'prime', description: 'changes something', parameters: [] };

test('promise 19: whoever made a token for somebody else does not approve what was asked with it, nor does that token approve what they asked', async (t) => {
  const { muster, ask, approve, ada, ben } = await startSite(t);
  const asBen = await tokenFor(muster, OWNER, 'ben'); // the owner may use it, and so may Ben
  const asAda = await tokenFor(muster, asBen, 'ada'); // made with it: by either of them

  const byOther = await ask(asBen);
  const byMade = await ask(asAda);
  const byOwner = await ask(OWNER);

  await refused(approve(OWNER, byOther));
  await refused(approve(asAda, byOther));
  await refused(approve(OWNER, byMade));
  await refused(approve(ben, byMade));
  await refused(approve(asBen, byOwner));
  await refused(approve(asAda, byOwner));
  for (const invocation of [byOther, byOwner]) assert.equal((await approve(ada, invocation))?.approved_by, 'ada');
  const [row] = await auditRows(muster.store, 'invocation_pending');
  assert.equal(Object(row?.details).askers, 'ben owner');
});

test('promise 19: a browser that was signed in with such a token, or by a link of it, is both of them, too', async (t) => {
  const { muster, ask, approve, ada } = await startSite(t);
  const { sessions, tokens } = muster.core.services;
  const { token } = await tokens.create(OWNER, { user: 'ben', name: 'handed over' });
  const { code } = await sessions.createLink(await authenticated(muster, token));

  for (const proof of [{ token }, { code }]) {
    const { cookies } = await sessions.begin(proof, { cookies: undefined, origin: undefined, host: 'localhost' });
    const browser = await authenticated(muster, sessions.tokenIn(cookies[0]?.split(';', 1)[0]) ?? '');
    await refused(approve(OWNER, await ask(browser)));
    await refused(approve(browser, await ask(OWNER)));
    assert.equal((await approve(ada, await ask(browser)))?.approved_by, 'ada');
  }
});

test('promise 19: a token that has ended leaves who was behind what it asked', async (t) => {
  const { muster, ask, approve } = await startSite(t);
  const asBen = await tokenFor(muster, OWNER, 'ben');
  const invocation = await ask(asBen);

  await muster.core.services.tokens.delete(OWNER, asBen.token?.id ?? '');

  await refused(approve(OWNER, invocation));
});

test('promise 19: who set the password of somebody else counts as them, until they have set their own', async (t) => {
  const { muster, ask, approve } = await startSite(t);
  const { people, tokens } = muster.core.services;
  const password = 'the first password';
  await people.changeUser(OWNER, 'ben', { password });
  const login = async (secret: string): Promise<Principal> =>
    authenticated(muster, (await tokens.login('default', { user: 'ben', password: secret })).token);

  const before = await login(password);
  await refused(approve(OWNER, await ask(before)));
  await people.changePassword(before, { current: password, password: 'a password of his own' });
  const own = await login('a password of his own');

  assert.equal((await approve(OWNER, await ask(own)))?.approved_by, 'owner');
});

test('promise 19: a sandbox whose token somebody was shown through a token for another is theirs, too', async (t) => {
  const { muster, approve, ada, ben } = await startSite(t);
  const { sandboxes, invocations } = muster.core.services;
  const { id, principal } = await makeSandbox(muster, 'ci');
  await sandboxes.replaceToken(await tokenFor(muster, ada, 'ben'), id, {});
  const { invocation } = await invocations.create(principal, askFor({ nodes: ['pump-1'] }, { action: 'prime' }), BODY);

  for (const holder of [OWNER, ada, ben]) await refused(approve(holder, invocation));
  await assertRejectsCode(approve(principal, invocation), 'forbidden');
});

async function refused(approval: Promise<unknown>): Promise<void> {
  const { message } = await assertRejectsCode(approval, 'forbidden');
  assert.equal(message, 'Somebody other than who asked has to approve this');
}

/** A token that this one makes for a user, and who comes with it. */
async function tokenFor(muster: TestCore, maker: Principal, user: string): Promise<Principal> {
  return authenticated(muster, (await muster.core.services.tokens.create(maker, { name: 'second', user })).token);
}

async function authenticated({ core }: TestCore, token: string): Promise<Principal> {
  const principal = await core.services.authenticate(token);
  assert.ok(principal !== undefined);
  return principal;
}

/** An owner and two admins who need somebody else's approval, each known by a token of their own. */
async function startSite(t: TestContext) {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const { people, invocations } = services;
  await people.createUser(OWNER, { id: OWNER.id, role: 'owner' });
  for (const id of ['ada', 'ben']) await people.createUser(OWNER, { id, role: 'owner' });
  await setPolicy(muster, { distinct_approver: true });
  await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1', script: { actions: [PRIME] } });
  const [ada, ben]: Principal[] = ['ada', 'ben'].map((id) => ({ ...OWNER, id }));
  assert.ok(ada !== undefined && ben !== undefined);
  const ask = async (principal: Principal) => {
    const asked = askFor({ nodes: ['pump-1'] }, { action: 'prime' });
    return (await invocations.create(principal, asked, BODY)).invocation;
  };
  const approve = (principal: Principal, { id, digest }: Awaited<ReturnType<typeof ask>>) =>
    invocations.approve(principal, id, { digest });
  return { muster, ask, approve, ada, ben };
}
