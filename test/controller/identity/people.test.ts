import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { z } from 'zod';
import { createTokens, ensureOwnerToken, principalOf } from '../../../controller/identity/api-tokens.js';
import { createAttempts } from '../../../controller/identity/attempts.js';
import { createGate, type Gate } from '../../../controller/identity/gate.js';
import type { PeopleService } from '../../../controller/identity/people-service.js';
import { createRefusedLogins, type OnRefusedLogin } from '../../../controller/identity/refused-logins.js';
import { createUsers } from '../../../controller/identity/users.js';
import type { Principal } from '../../../controller/services.js';
import { firstBrokenAuditRow } from '../../../controller/store/audit.js';
import { openStore, type Store } from '../../../controller/store/store.js';
import { isMusterError } from '../../../protocol/errors.js';
import { createLogger } from '../../../runtime/logger.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import type { TestScope } from '../../support/broker.js';
import { storePlace } from '../../support/store-place.js';

const OWNER: Principal = { id: 'owner', org: 'default', role: 'owner' };
const ADMIN: Principal = { id: 'ada', org: 'default', role: 'admin' };
const PASSWORD = 'correct horse battery';
const HOUR_MS = 3_600_000;

test('a token speaks for its user with the lesser of both roles, and a lesser role is in force at once', async (t) => {
  const { people, tokens, speaks } = await startPeople(t);
  await people.createUser(OWNER, { id: 'ann', role: 'admin' });
  const whole = await tokens.create(OWNER, { user: 'ann', name: 'ci' });
  const less = await tokens.create(OWNER, { user: 'ann', name: 'reader', role: 'viewer' });

  const { token: of, ...ann } = (await speaks(whole.token)) ?? {};
  assert.deepEqual(ann, { id: 'ann', org: 'default', role: 'admin' });
  assert.equal(of?.id, whole.id);
  assert.equal((await speaks(less.token))?.role, 'viewer');
  await people.changeUser(OWNER, 'ann', { role: 'operator' });
  assert.equal((await speaks(whole.token))?.role, 'operator');
});

test('a token ends with its time, its deletion, its user disabled or deleted (promise 20)', async (t) => {
  const { people, tokens, speaks, clock } = await startPeople(t);
  await people.createUser(OWNER, { id: 'ann', role: 'operator' });
  const make = async (): Promise<{ id: string; token: string }> =>
    tokens.create(OWNER, { user: 'ann', name: 'x', expires_in: '1h' });

  const first = await make();
  clock.advance(HOUR_MS - 1);
  assert.notEqual(await speaks(first.token), undefined);
  clock.advance(1);
  assert.equal(await speaks(first.token), undefined);

  const second = await make();
  assert.equal(await tokens.delete(OWNER, second.id), true);
  assert.equal(await speaks(second.token), undefined);

  const third = await make();
  await people.changeUser(OWNER, 'ann', { disabled: true });
  assert.equal(await speaks(third.token), undefined);
  await people.changeUser(OWNER, 'ann', { disabled: false });
  assert.notEqual(await speaks(third.token), undefined);

  assert.equal(await people.deleteUser(OWNER, 'ann'), true);
  await people.createUser(OWNER, { id: 'ann', role: 'operator' });
  assert.equal(await speaks(third.token), undefined);
});

test('an admin looks after viewers and operators, and owners are for owners', async (t) => {
  const { people, tokens } = await startPeople(t);
  await people.createUser(OWNER, { id: 'ada', role: 'admin' });
  await people.createUser(ADMIN, { id: 'ann', role: 'operator' });

  await assertRejectsCode(people.createUser(ADMIN, { id: 'eve', role: 'admin' }), 'forbidden');
  await assertRejectsCode(people.changeUser(ADMIN, 'ann', { role: 'owner' }), 'forbidden');
  await assertRejectsCode(people.changeUser(ADMIN, 'owner', { disabled: true }), 'forbidden');
  await assertRejectsCode(people.deleteUser(ADMIN, 'owner'), 'forbidden');
  await assertRejectsCode(tokens.create(ADMIN, { user: 'owner', name: 'mine now' }), 'forbidden');
  await assertRejectsCode(
    tokens.create({ id: 'ann', org: 'default', role: 'operator' }, { user: 'ada', name: 'mine now' }),
    'forbidden',
  );
  await assertRejectsCode(tokens.create(OWNER, { user: 'ann', name: 'more', role: 'admin' }), 'forbidden');
  await assertRejectsCode(tokens.create(OWNER, { user: 'nobody', name: 'x' }), 'not_found');
  await assertRejectsCode(tokens.create(OWNER, { name: 'x', expires_in: '8785h' }), 'invalid_request');
  await assertRejectsCode(people.createUser(OWNER, { id: 'ann', role: 'viewer' }), 'conflict');
  assert.equal(await people.changeUser(OWNER, 'nobody', { role: 'viewer' }), undefined);
  assert.equal(await people.deleteUser(OWNER, 'nobody'), false);
});

test('a token whose role is less than its user’s makes none that may more', async (t) => {
  const { tokens, speaks } = await startPeople(t);
  const { token } = await tokens.create(OWNER, { name: 'reader', role: 'viewer' });
  const reader = await speaks(token);
  assert.ok(reader);

  await assertRejectsCode(tokens.create(reader, { name: 'more' }), 'forbidden');
  assert.equal((await tokens.create(reader, { name: 'same', role: 'viewer' })).role, 'viewer');
});

test('a token that is made through another ends no later, and with it', async (t) => {
  const { tokens, speaks } = await startPeople(t);
  const first = await tokens.create(OWNER, { name: 'reader', role: 'viewer', expires_in: '1h' });
  const reader = await speaks(first.token);
  assert.ok(reader);
  const child = await tokens.create(reader, { name: 'child', role: 'viewer', expires_in: '8784h' });
  const made = await speaks(child.token);
  assert.ok(made);
  const grandchild = await tokens.create(made, { name: 'grandchild', role: 'viewer' });

  assert.deepEqual([child.expires_at, grandchild.expires_at], [first.expires_at, first.expires_at]);
  assert.equal(await tokens.delete(OWNER, first.id), true);
  assert.deepEqual([await speaks(child.token), await speaks(grandchild.token)], [undefined, undefined]);
  await assertRejectsCode(tokens.create(made, { name: 'too late', role: 'viewer' }), 'unauthenticated');
});

test('a token deletes none of its user’s that may more', async (t) => {
  const { people, tokens, speaks } = await startPeople(t);
  const strong = await tokens.create(OWNER, { name: 'strong' });
  const weak = await tokens.create(OWNER, { name: 'weak', role: 'viewer' });
  const viewer = await speaks(weak.token);
  assert.ok(viewer);

  assert.equal(await tokens.delete(viewer, strong.id), false);
  assert.notEqual(await speaks(strong.token), undefined);
  assert.equal(await tokens.delete(viewer, weak.id), true);

  await people.createUser(OWNER, { id: 'ann', role: 'admin' });
  const { id } = await tokens.create(OWNER, { user: 'ann', name: 'made as an admin' });
  await people.changeUser(OWNER, 'ann', { role: 'viewer' });
  assert.equal(await tokens.delete({ id: 'ann', org: 'default', role: 'viewer' }, id), true);
});

test('a new password ends what was logged in with the old one, and no other token', async (t) => {
  const { people, tokens, speaks } = await startPeople(t);
  await people.createUser(OWNER, { id: 'ann', role: 'operator', password: PASSWORD });
  const program = await tokens.create(OWNER, { user: 'ann', name: 'ci' });
  const login = () => tokens.login('default', { user: 'ann', password: PASSWORD });
  const before = await login();
  const child = await tokens.create((await speaks(before.token)) ?? OWNER, { name: 'through the login' });

  await people.changeUser(OWNER, 'ann', { password: PASSWORD });
  assert.deepEqual([await speaks(before.token), await speaks(child.token)], [undefined, undefined]);
  const again = await login();
  const ann = await speaks(again.token);
  assert.ok(ann);
  await people.changePassword(ann, { current: PASSWORD, password: PASSWORD });
  assert.equal(await speaks(again.token), undefined);
  assert.notEqual(await speaks(program.token), undefined);
});

for (const [what, change] of [
  ['the password is changed', (people) => people.changeUser(OWNER, 'ann', { password: 'another long password' })],
  ['the user is disabled', (people) => people.changeUser(OWNER, 'ann', { disabled: true })],
  ['the user is deleted', (people) => people.deleteUser(OWNER, 'ann')],
] satisfies readonly [string, (people: PeopleService) => Promise<unknown>][]) {
  test(`promise 20: ${what} while somebody logs in with the password from before: they are not let in`, async (t) => {
    const { store, clock, people } = await startPeople(t);
    await people.createUser(OWNER, { id: 'ann', role: 'operator', password: PASSWORD });
    const gate = thenDo(() => change(people));
    const tokens = createTokens({
      store,
      clock,
      attempts: createAttempts(clock),
      gate,
      onRefusedLogin: () => undefined,
    });

    await assertRejectsCode(tokens.login('default', { user: 'ann', password: PASSWORD }), 'unauthenticated');
    await people.deleteUser(OWNER, 'ann');
    await people.createUser(OWNER, { id: 'ann', role: 'operator' });

    assert.deepEqual(
      (await tokens.list(OWNER, { limit: 50 })).items.map(({ user }) => user),
      ['owner'],
    );
  });
}

test('a password that an admin sets while its owner changes it stays', async (t) => {
  const { store, clock, people, tokens } = await startPeople(t);
  await people.createUser(OWNER, { id: 'ann', role: 'operator', password: PASSWORD });
  const gate = thenDo(() => people.changeUser(OWNER, 'ann', { password: 'as the admin said' }));
  const own = createUsers({ store, clock, attempts: createAttempts(clock), gate });
  const ann: Principal = { id: 'ann', org: 'default', role: 'operator' };

  const change = own.changePassword(ann, { current: PASSWORD, password: 'as ann would have it' });

  await assertRejectsCode(change, 'unauthenticated');
  assert.equal((await tokens.login('default', { user: 'ann', password: 'as the admin said' })).user, 'ann');
});

test('a life with a part of a millisecond is stored as whole ones, which PostgreSQL wants', async (t) => {
  const { store, tokens } = await startPeople(t);

  await tokens.create(OWNER, { name: 'short', expires_in: '100.5ms' });

  const rows = await store.read.selectFrom('api_tokens').select('expires_at').where('name', '=', 'short').execute();
  assert.ok(rows.every(({ expires_at }) => Number.isInteger(expires_at)));
});

test('a change of a user that changes nothing is not audited as one', async (t) => {
  const { store, people } = await startPeople(t);
  await people.createUser(OWNER, { id: 'ann', role: 'operator' });

  for (const same of [{}, { role: 'operator' as const }, { disabled: false }]) {
    assert.equal((await people.changeUser(OWNER, 'ann', same))?.role, 'operator');
  }

  const rows = await store.read.selectFrom('audit').select('event').where('subject', '=', 'user:ann').execute();
  assert.deepEqual(
    rows.map(({ event }) => event),
    ['user_created'],
  );
});

test('a flood of logins is refused beyond a short queue, counts no try, and leaves other work with passwords alone', async (t) => {
  const { people, tokens } = await startPeople(t);
  await people.createUser(OWNER, { id: 'ann', role: 'viewer', password: PASSWORD });

  const flood = Array.from({ length: 100 }, (_, index) =>
    tokens.login('default', { user: `invented-${index}`, password: 'wrong' }),
  );
  const late = Array.from({ length: 20 }, () => tokens.login('default', { user: 'ann', password: PASSWORD }));
  const answered = Promise.allSettled([...flood, ...late]);
  const changed = await people.changeUser(OWNER, 'ann', { password: PASSWORD });

  assert.equal(changed?.id, 'ann');
  const answers = await answered;
  const codes = answers.map((each) =>
    each.status === 'rejected' && isMusterError(each.reason) ? each.reason.code : '',
  );
  assert.deepEqual(
    ['unauthenticated', 'rate_limited', ''].map((code) => codes.filter((each) => each === code).length),
    [22, 98, 0],
  );
  assert.equal((await tokens.login('default', { user: 'ann', password: PASSWORD })).user, 'ann');
});

test('the last owner stays', async (t) => {
  const { people } = await startPeople(t);

  await assertRejectsCode(people.deleteUser(OWNER, 'owner'), 'conflict');
  await assertRejectsCode(people.changeUser(OWNER, 'owner', { role: 'admin' }), 'conflict');
  await assertRejectsCode(people.changeUser(OWNER, 'owner', { disabled: true }), 'conflict');
  await people.createUser(OWNER, { id: 'second', role: 'owner' });
  assert.equal(await people.deleteUser(OWNER, 'owner'), true);
});

test('a login takes the right password, gives a token for 12 h, and a logout ends it', async (t) => {
  const { people, tokens, speaks, clock } = await startPeople(t);
  await people.createUser(OWNER, { id: 'ann', role: 'operator', password: PASSWORD });

  const { token, role } = await tokens.login('default', { user: 'ann', password: PASSWORD });
  const ann = await speaks(token);
  assert.deepEqual([ann?.id, role], ['ann', 'operator']);
  assert.ok(ann);
  await tokens.logout(ann, token);
  assert.equal(await speaks(token), undefined);

  const again = await tokens.login('default', { user: 'ann', password: PASSWORD });
  clock.advance(12 * HOUR_MS);
  assert.equal(await speaks(again.token), undefined);

  await assertRejectsCode(
    people.changePassword(ann, { current: 'not that one', password: PASSWORD }),
    'unauthenticated',
  );
  await people.changePassword(ann, { current: PASSWORD, password: 'another long password' });
  await assertRejectsCode(tokens.login('default', { user: 'ann', password: PASSWORD }), 'unauthenticated');
  await people.changeUser(OWNER, 'ann', { disabled: true });
  await assertRejectsCode(
    tokens.login('default', { user: 'ann', password: 'another long password' }),
    'unauthenticated',
  );
  for (const user of ['owner', 'nobody']) {
    await assertRejectsCode(tokens.login('default', { user, password: '' }), 'unauthenticated');
  }
});

test('refused logins are counted and logged once in a minute, with the name only when there is such a user', async (t) => {
  const lines: unknown[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()));
      done();
    },
  });
  const clock = createStillClock();
  let count = 0;
  const log = createLogger('controller', { level: 'warn', destination });
  const counted = (): void => {
    count += 1;
  };
  const { people, tokens } = await startPeople(t, createRefusedLogins({ log, clock, count: counted }));
  await people.createUser(OWNER, { id: 'ann', role: 'viewer', password: PASSWORD });
  const refuse = (user: string) =>
    assertRejectsCode(tokens.login('default', { user, password: 'wrong' }), 'unauthenticated');

  await refuse('ann');
  await refuse('hunter2');
  clock.advance(60_000);
  await refuse('hunter2');
  await tokens.login('default', { user: 'ann', password: PASSWORD });

  assert.equal(count, 3);
  const Line = z.object({ msg: z.string(), user: z.string().optional(), unlogged: z.int() });
  assert.deepEqual(
    lines.map((line) => Line.parse(line)),
    [
      { msg: 'login refused', user: 'ann', unlogged: 0 },
      { msg: 'login refused', unlogged: 1 },
    ],
  );
  assert.doesNotMatch(JSON.stringify(lines), /hunter2|wrong/);
});

test('ten wrong passwords keep a name out for a quarter of an hour, and no other name', async (t) => {
  const { people, tokens, clock } = await startPeople(t);
  for (const id of ['ann', 'ben']) await people.createUser(OWNER, { id, role: 'viewer', password: PASSWORD });

  for (let tries = 0; tries < 10; tries += 1) {
    await assertRejectsCode(tokens.login('default', { user: 'ann', password: 'wrong' }), 'unauthenticated');
  }
  await assertRejectsCode(tokens.login('default', { user: 'ann', password: PASSWORD }), 'rate_limited');
  assert.equal((await tokens.login('default', { user: 'ben', password: PASSWORD })).user, 'ben');
  clock.advance(15 * 60_000);
  assert.equal((await tokens.login('default', { user: 'ann', password: PASSWORD })).user, 'ann');
});

test('lists show one’s own tokens, to an admin all, page by page, and never a secret', async (t) => {
  const { people, tokens } = await startPeople(t);
  await people.createUser(OWNER, { id: 'ann', role: 'operator' });
  for (let index = 0; index < 5; index += 1) await tokens.create(OWNER, { user: 'ann', name: `t${index}` });

  const own = await tokens.list({ id: 'ann', org: 'default', role: 'operator' }, { limit: 50 });
  const first = await tokens.list(OWNER, { limit: 4 });
  const rest = await tokens.list(OWNER, { limit: 4, cursor: first.next_cursor ?? '' });

  assert.equal(own.items.length, 5);
  const all = [...first.items, ...rest.items];
  assert.deepEqual([all.length, new Set(all.map(({ id }) => id)).size, rest.next_cursor], [6, 6, null]);
  assert.ok(!JSON.stringify(all).includes('secret'));
  const [id = ''] = own.items.map((token) => token.id);
  assert.equal(await tokens.delete({ id: 'ben', org: 'default', role: 'operator' }, id), false);
});

test('every change of people and tokens is audited, without a password or a secret (promise 21)', async (t) => {
  const { people, tokens, store } = await startPeople(t);
  await people.createUser(OWNER, { id: 'ann', role: 'operator', password: PASSWORD });
  await people.changeUser(OWNER, 'ann', { role: 'viewer' });
  const { id, token } = await tokens.create(OWNER, { user: 'ann', name: 'x' });
  await tokens.delete(OWNER, id);
  await people.deleteUser(OWNER, 'ann');

  const rows = await store.read.selectFrom('audit').selectAll().orderBy('seq').execute();
  assert.deepEqual(
    rows.map(({ event }) => event),
    ['user_created', 'token_created', 'user_created', 'user_changed', 'token_created', 'token_deleted', 'user_deleted'],
  );
  const text = JSON.stringify(rows);
  assert.ok(!text.includes(PASSWORD) && !text.includes(token.split('_')[2] ?? ''));
  assert.equal(await firstBrokenAuditRow(store.read), undefined);
});

/** A gate after whose work something else comes in between. */
function thenDo(other: () => Promise<unknown>): Gate {
  return {
    async run(work) {
      const done = await work();
      await other();
      return done;
    },
  };
}

async function startPeople(t: TestScope, onRefusedLogin: OnRefusedLogin = () => undefined) {
  const store: Store = await openStore(await storePlace(t));
  t.after(store.close);
  const clock = createStillClock();
  await ensureOwnerToken(store, 'default', clock.nowMs());
  const shared = { store, clock, attempts: createAttempts(clock) };
  const gateOf = (atOnce: number) => createGate({ atOnce, waiting: 20, refusal: 'full' });
  return {
    ...{ store, clock },
    people: createUsers({ ...shared, gate: gateOf(1) }),
    tokens: createTokens({ ...shared, gate: gateOf(2), onRefusedLogin }),
    speaks: (token: string) => principalOf(store, token, clock.nowMs()),
  };
}

/** Both of its times stand still until they are moved. */
function createStillClock() {
  let nowMs = Date.parse('2026-01-01T00:00:00Z');
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    advance(ms: number) {
      nowMs += ms;
    },
  };
}
