import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesGlob } from '../../../controller/enrollment/enroll.js';
import type { Services } from '../../../controller/services.js';
import { openEnvelope, parsePayload, signWithOwnKey } from '../../../protocol/envelope.js';
import { openKeyList } from '../../../protocol/key-list.js';
import { thumbprintOf } from '../../../protocol/keys.js';
import { Enrolled, parseEnrollmentToken } from '../../../protocol/messages/enrollment.js';
import { generateKeyPair } from '../../../runtime/key-file.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { OWNER, startTestCore } from '../../support/core.js';
import { enrollment, payloadOf } from '../../support/scripted-agent.js';
import { createTestClock } from '../../support/test-clock.js';

const TOKEN = { uses: 1, expires_in: '1h', groups: [], labels: {} };

test('a node that enrolls can trust the answer from the token alone', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const { token } = await services.enrollment.createToken(OWNER, {
    ...TOKEN,
    groups: ['pumps'],
    labels: { site: 'north' },
  });
  const keys = generateKeyPair();

  const { jws } = await services.enrollment.enroll(enrollment(keys, { token, node_id: 'pump-1' }));

  const claimed = Enrolled.parse(payloadOf(jws));
  assert.equal(thumbprintOf(claimed.root), parseEnrollmentToken(token)?.root);
  const list = openKeyList(claimed.keys, muster.keyring.keys.root, 'default');
  const { payload } = openEnvelope(jws, {
    typ: 'muster-enrolled',
    maxBytes: 64 * 1024,
    keyOf: (kid) => list.keys.get(kid),
  });
  const enrolled = parsePayload(Enrolled, payload);
  assert.equal(enrolled.node_key, keys.public.kid);
  assert.equal(enrolled.node_id, 'pump-1');
  assert.equal(enrolled.broker.url, muster.brokerUrl);
  const view = await services.nodes.get('default', 'pump-1');
  assert.deepEqual([view?.state, view?.groups, view?.labels], ['never_seen', ['pumps'], { site: 'north' }]);
});

test('the same token and key get the same node again, also when the token is used up and expired', async (t) => {
  const clock = createTestClock();
  const muster = await startTestCore(t, { clock });
  const { services } = muster.core;
  const { token } = await services.enrollment.createToken(OWNER, TOKEN);
  const keys = generateKeyPair();

  const first = Enrolled.parse(payloadOf((await enroll(services, keys, token)).jws));
  clock.advance(2 * 3600 * 1000);
  const second = Enrolled.parse(payloadOf((await enroll(services, keys, token)).jws));

  assert.equal(second.enrolled_at, first.enrolled_at);
  assert.equal(second.node_id, first.node_id);
});

test('S-D-17: of many nodes that use one token at once, exactly as many get in as it has uses', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const { token } = await services.enrollment.createToken(OWNER, { ...TOKEN, uses: 3 });

  const outcomes = await Promise.allSettled(
    Array.from({ length: 20 }, (_, index) => enroll(services, generateKeyPair(), token, `pump-${index}`)),
  );

  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 3);
  const { items } = await services.nodes.list('default', { limit: 50 });
  assert.equal(items.length, 3);
});

test('a node id that is enrolled with another key is refused with node_id_taken', async (t) => {
  const { services } = (await startTestCore(t)).core;
  const { token } = await services.enrollment.createToken(OWNER, { ...TOKEN, uses: 2 });
  await enroll(services, generateKeyPair(), token);

  await assertRejectsCode(enroll(services, generateKeyPair(), token), 'node_id_taken');

  const { items } = await services.enrollment.listTokens('default', { limit: 10 });
  assert.equal(items[0]?.uses_left, 1);
});

test('S-D-17: an expired, deleted, unknown, altered or foreign token lets nobody in', async (t) => {
  const clock = createTestClock();
  const { services } = (await startTestCore(t, { clock })).core;
  const expired = await services.enrollment.createToken(OWNER, { ...TOKEN, expires_in: '1m' });
  const deleted = await services.enrollment.createToken(OWNER, TOKEN);
  const good = await services.enrollment.createToken(OWNER, TOKEN);
  assert.equal(await services.enrollment.deleteToken(OWNER, deleted.id), true);
  assert.equal(await services.enrollment.deleteToken(OWNER, deleted.id), false);
  clock.advance(61_000);

  const { id, secret, root } = parseEnrollmentToken(good.token) ?? { id: '', secret: '', root: '' };
  const tokens = [
    expired.token,
    deleted.token,
    `met_${id}_${[...secret].reverse().join('')}_${root}`,
    `met_${[...id].reverse().join('')}_${secret}_${root}`,
    `met_${id}_${secret}_${generateKeyPair().public.kid}`,
    'met_',
  ];
  for (const token of tokens)
    await assertRejectsCode(enroll(services, generateKeyPair(), token), 'enrollment_token_invalid');
});

test('a token with a pattern lets in only node ids that match', async (t) => {
  const { services } = (await startTestCore(t)).core;
  const { token } = await services.enrollment.createToken(OWNER, { ...TOKEN, uses: 5, node_id_pattern: 'pump-*' });

  await assertRejectsCode(enroll(services, generateKeyPair(), token, 'valve-1'), 'node_id_not_allowed');
  await enroll(services, generateKeyPair(), token, 'pump-7');
});

test('a node cannot take the client id of a controller or a monitor', async (t) => {
  const { services } = (await startTestCore(t)).core;
  const { token } = await services.enrollment.createToken(OWNER, TOKEN);

  for (const node of ['ctl-a', 'mon-a']) {
    await assertRejectsCode(enroll(services, generateKeyPair(), token, node), 'node_id_not_allowed');
  }
});

test('an enrollment whose signature or payload does not hold is refused', async (t) => {
  const { services } = (await startTestCore(t)).core;
  const { token } = await services.enrollment.createToken(OWNER, TOKEN);
  const keys = generateKeyPair();
  const other = generateKeyPair();
  const payload = JSON.stringify({
    v: 1,
    token,
    node_id: 'pump-1',
    agent_version: '0',
    issued_at: '2026-01-01T00:00:00Z',
  });

  for (const jws of [
    signWithOwnKey(payload, other.signing, keys.public),
    signWithOwnKey('{}', keys.signing, keys.public),
    'a.b.c',
    '',
  ]) {
    await assertRejectsCode(services.enrollment.enroll(jws), 'invalid_request');
  }
});

test('S-D-17: the secret of an enrollment token is stored as a hash only', async (t) => {
  const muster = await startTestCore(t);
  const { token, id } = await muster.core.services.enrollment.createToken(OWNER, TOKEN);
  const secret = parseEnrollmentToken(token)?.secret ?? '';

  const row = await muster.store.read
    .selectFrom('enrollment_tokens')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst();
  const audit = await muster.store.read.selectFrom('audit').selectAll().execute();

  assert.ok(!JSON.stringify([row, audit]).includes(secret));
});

test('a life with a part of a millisecond is stored as whole ones, which PostgreSQL wants', async (t) => {
  const muster = await startTestCore(t);

  await muster.core.services.enrollment.createToken(OWNER, { ...TOKEN, expires_in: '100.5ms' });

  const { expires_at } = await muster.store.read
    .selectFrom('enrollment_tokens')
    .select('expires_at')
    .executeTakeFirstOrThrow();
  assert.ok(Number.isInteger(expires_at));
});

test('tokens are listed newest first, page by page', async (t) => {
  const { services } = (await startTestCore(t)).core;
  const made: string[] = [];
  for (let count = 0; count < 5; count += 1) made.unshift((await services.enrollment.createToken(OWNER, TOKEN)).id);

  const listed: string[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await services.enrollment.listTokens('default', { limit: 2, cursor });
    listed.push(...page.items.map(({ id }) => id));
    if (page.next_cursor === null) break;
    cursor = page.next_cursor;
  }

  assert.deepEqual([...listed].sort(), [...made].sort());
  assert.equal(new Set(listed).size, 5);
  await assertRejectsCode(services.enrollment.listTokens('default', { limit: 2, cursor: '!' }), 'invalid_request');
});

test('a star in a pattern stands for any characters, and for none', () => {
  assert.ok(matchesGlob('pump-*', 'pump-'));
  assert.ok(matchesGlob('*-*-x', 'a-b-x'));
  assert.ok(matchesGlob('*', ''));
  assert.ok(matchesGlob('a*a', 'aa'));
  assert.ok(!matchesGlob('a*a', 'a'));
  assert.ok(!matchesGlob('pump', 'pump-1'));
  assert.ok(!matchesGlob('a*b*c', 'acb'));
  assert.ok(!matchesGlob('*ab*ab', 'ab'));
});

function enroll(services: Services, keys: ReturnType<typeof generateKeyPair>, token: string, node = 'pump-1') {
  return services.enrollment.enroll(enrollment(keys, { token, node_id: node }));
}
