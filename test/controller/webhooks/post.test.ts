import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { types } from 'node:util';
import { createPost, type Resolve } from '../../../controller/webhooks/post.js';
import type { Webhook } from '../../../controller/webhooks/webhooks-file.js';
import { startReceiver } from '../../support/receiver.js';

const SECRET = 'a secret of thirty-two characters';
const DELIVERY = { id: 7, event: 'action_completed', body: '{"id":7,"text":"Grüße"}', nowMs: 1_700_000_000_500 };
const NEVER = new AbortController().signal;

function hookAt(url: string, allow: string[] = []): Webhook {
  return { name: 'pager', url, events: ['action_completed'], allow, secret: SECRET };
}

test('a message is signed with its time, names its event, and is the event to the octet', async (t) => {
  const receiver = await startReceiver(t);

  const posted = await createPost(hookAt(`${receiver.url}/in?x=1`, ['127.0.0.1']))(DELIVERY, NEVER);

  assert.deepEqual(posted, { kind: 'delivered' });
  const [got] = receiver.got;
  assert.deepEqual([got?.path, got?.body], ['/in?x=1', DELIVERY.body]);
  const mac = createHmac('sha256', SECRET).update(`1700000000.${DELIVERY.body}`).digest('hex');
  assert.equal(got?.headers['muster-signature'], `v1=${mac}`);
  assert.deepEqual(
    ['muster-timestamp', 'muster-event', 'muster-delivery', 'content-type'].map((name) => got?.headers[name]),
    ['1700000000', 'action_completed', '7', 'application/json'],
  );
});

test('nothing goes to addresses that are not public unless they are allowed, whatever the name says', async (t) => {
  const receiver = await startReceiver(t);
  const port = new URL(receiver.url).port;
  const resolved =
    (...addresses: string[]): Resolve =>
    async () =>
      addresses;
  const refused = { kind: 'failed', why: 'none of its addresses is public, or allowed' };

  for (const host of ['127.0.0.1', '127.1', '2130706433', '0x7f000001', '[::1]', '[::ffff:127.0.0.1]', 'localhost']) {
    assert.deepEqual(await createPost(hookAt(`http://${host}:${port}/`))(DELIVERY, NEVER), refused, host);
  }
  const named = hookAt(`http://hooks.example:${port}/`);
  assert.deepEqual(await createPost(named, resolved('127.0.0.1', '10.0.0.1', 'fe80::1'))(DELIVERY, NEVER), refused);
  assert.deepEqual(await createPost(named, resolved())(DELIVERY, NEVER), refused);
  const other = hookAt(`http://hooks.example:${port}/`, ['127.0.0.2']);
  assert.deepEqual(await createPost(other, resolved('127.0.0.1'))(DELIVERY, NEVER), refused);
  assert.deepEqual(receiver.got, []);
});

test('a name is resolved once for a message, and the connection goes to the address that was judged', async (t) => {
  const receiver = await startReceiver(t);
  const asked: string[] = [];
  const answers = [['169.254.169.254', '127.0.0.1'], ['169.254.169.254']];
  const rebinding: Resolve = async (hostname) => {
    asked.push(hostname);
    return answers[asked.length - 1] ?? [];
  };
  const url = `http://hooks.example:${new URL(receiver.url).port}/`;

  const posted = await createPost(hookAt(url, ['127.0.0.1']), rebinding)(DELIVERY, NEVER);

  assert.deepEqual(posted, { kind: 'delivered' });
  assert.deepEqual(asked, ['hooks.example']);
  assert.equal(receiver.got[0]?.headers.host, new URL(url).host);
});

test('a redirect is not followed, and every answer but a success is a failure', async (t) => {
  const inner = await startReceiver(t);
  for (const [status, headers] of [
    [302, { location: `${inner.url}/` }],
    [307, { location: `${inner.url}/` }],
    [404, {}],
    [500, {}],
    [503, {}],
  ] as const) {
    const receiver = await startReceiver(t, { status, headers });
    const posted = await createPost(hookAt(`${receiver.url}/`, ['127.0.0.1']))(DELIVERY, NEVER);
    assert.deepEqual(posted, { kind: status === 503 ? 'failed' : 'refused', why: `answered ${status}` });
  }
  assert.deepEqual(inner.got, []);
});

test('a receiver that is not there, or a stop, ends the try', async (t) => {
  const receiver = await startReceiver(t, { isSilent: true });
  const post = createPost(hookAt(`${receiver.url}/`, ['127.0.0.1']));
  const stopping = new AbortController();

  const posting = post(DELIVERY, stopping.signal);
  await receiver.first;
  stopping.abort();

  assert.deepEqual(await posting, { kind: 'failed', why: 'no answer in time' });
  await receiver.stop();
  assert.equal((await post(DELIVERY, NEVER)).kind, 'failed');
});

test('a signal that lives long keeps nothing of the messages that were sent under it', async (t) => {
  const receiver = await startReceiver(t);
  const post = createPost(hookAt(`${receiver.url}/`, ['127.0.0.1']));
  const living = new AbortController();

  for (let count = 0; count < 3; count += 1) assert.equal((await post(DELIVERY, living.signal)).kind, 'delivered');

  const held = Object.getOwnPropertySymbols(living.signal).map((key) => Reflect.get(living.signal, key));
  assert.ok(!held.some((each) => types.isSet(each)), 'AbortSignal.any has it hold a set, which only grows');
  assert.deepEqual(getEventListeners(living.signal, 'abort'), []);
});
