import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { z } from 'zod';
import { enroll } from '../../agent/enroll.js';
import { openWithOwnKey, parsePayload, signEnvelope } from '../../protocol/envelope.js';
import { signKeyList } from '../../protocol/key-list.js';
import { Enroll, formatEnrollmentToken } from '../../protocol/messages/enrollment.js';
import { SYSTEM_CLOCK, toTime } from '../../runtime/clock.js';
import { withDeadline } from '../../runtime/deadline.js';
import { generateKeyPair, type KeyPair } from '../../runtime/key-file.js';
import { listen } from '../../runtime/listen.js';
import { createLogger } from '../../runtime/logger.js';
import { assertRejectsCode } from '../support/assert-code.js';
import type { TestScope } from '../support/broker.js';

const DAY_MS = 24 * 3_600_000;
const [root, controller, node] = [generateKeyPair(), generateKeyPair(), generateKeyPair()];
const token = tokenFor(root);

test('an answer whose root fits the token, its list and its signature is believed', async (t) => {
  const asked: unknown[] = [];
  const url = await startController(t, (jws) => {
    const { signer, payload } = openWithOwnKey(jws, 64 * 1024);
    asked.push({ kid: signer.kid, ...parsePayload(Enroll, payload) });
    return { status: 201, body: { jws: answer() } };
  });

  const identity = await ask(url);

  assert.deepEqual([identity.org, identity.node, identity.root.x], ['default', 'pump', root.public.jwk.x]);
  const [first] = asked;
  assert.ok(typeof first === 'object' && first !== null && 'token' in first && 'kid' in first && 'node_id' in first);
  assert.deepEqual([first.token, first.kid, first.node_id], [token, node.public.kid, 'pump']);
});

for (const [what, jws] of [
  ['another root than the token names', () => answer({ root: generateKeyPair() })],
  ['a list that its root has not signed', () => answer({ listSigner: generateKeyPair() })],
  ['a signature that is not of the list', () => answer({ signer: generateKeyPair() })],
  ['the key of another node', () => answer({ changes: { node_key: generateKeyPair().public.kid } })],
  ['a list for another org', () => answer({ changes: { org: 'other' } })],
  ['no envelope', () => 'hello'],
] as const) {
  test(`an answer with ${what} is not believed`, async (t) => {
    const url = await startController(t, () => ({ status: 201, body: { jws: jws() } }));

    await assertRejectsCode(ask(url), 'enrollment_failed');
  });
}

test('a node waits while a person has to accept it, and through a fault of the controller', async (t) => {
  const answers = [
    { status: 202, body: { status: 'pending', retry_after: 1 } },
    { status: 503, body: {} },
    { status: 201, body: { jws: answer() } },
  ];
  const url = await startController(t, () => answers.shift() ?? { status: 500, body: {} });

  assert.equal((await ask(url)).node, 'pump');
});

test('a refusal is told with its reason', async (t) => {
  const detail = 'a node of this name is enrolled with another key';
  const url = await startController(t, () => ({ status: 409, body: { code: 'node_id_taken', detail } }));

  const { message } = await assertRejectsCode(ask(url), 'enrollment_failed');

  assert.ok(message.includes(detail));
});

test('an answer without an end is read no further than its bound', async (t) => {
  let isLeft: () => void = () => undefined;
  const left = new Promise<void>((resolve) => {
    isLeft = resolve;
  });
  const server = createServer((_request, response) => {
    response.writeHead(201, { 'content-type': 'application/json' }).write('{"jws":"');
    response.once('close', isLeft);
    const flood = (): void => {
      while (!response.destroyed && response.write('A'.repeat(64 * 1024)));
    };
    response.on('drain', flood);
    flood();
  });
  const port = await listen(server, { host: '127.0.0.1', port: 0, what: 'test' });
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });

  const { message } = await assertRejectsCode(ask(`http://127.0.0.1:${port}`), 'enrollment_failed');

  assert.match(message, /it answered 201/);
  await withDeadline(left, 10_000, 'the end of the connection');
});

test('a token crosses a network only over https', async () => {
  for (const url of ['http://192.0.2.1:8080', 'http://controller.example', 'ftp://127.0.0.1', 'controller'])
    await assertRejectsCode(ask(url), 'usage');
});

test('what is no token is not sent', async (t) => {
  const url = await startController(t, () => assert.fail('it was sent'));

  await assertRejectsCode(ask(url, 'met_short'), 'usage');
});

test('a start that is stopped while it waits ends', async (t) => {
  const stop = new AbortController();
  const url = await startController(t, () => {
    setImmediate(() => stop.abort());
    return { status: 202, body: { status: 'pending', retry_after: 60 } };
  });

  await assertRejectsCode(ask(url, token, stop.signal), 'unavailable');
});

function ask(url: string, withToken = token, signal = new AbortController().signal) {
  return enroll({
    ...{ url, token: withToken, nodeId: 'pump', key: node, signal },
    clock: SYSTEM_CLOCK,
    log: createLogger('agent', { level: 'silent' }),
  });
}

function tokenFor(rootKey: KeyPair): string {
  return formatEnrollmentToken({ id: 'abcdef12', secret: 'A'.repeat(32), root: rootKey.public.kid });
}

/** A `muster-enrolled` JWS as a controller makes it, or with one thing wrong. */
function answer({
  root: rootKey = root,
  listSigner = rootKey,
  signer = controller,
  changes = {},
}: {
  root?: KeyPair;
  listSigner?: KeyPair;
  signer?: KeyPair;
  changes?: Readonly<Record<string, unknown>>;
} = {}): string {
  const nowMs = SYSTEM_CLOCK.nowMs();
  const not_after = toTime(nowMs + DAY_MS);
  const keys = signKeyList(
    { v: 1, org: 'default', version: 1, keys: [controller.public.jwk], not_after },
    { ...listSigner.signing, kid: rootKey.public.kid },
  );
  const payload = {
    ...{ v: 1, token_id: 'abcdef12', node_key: node.public.kid, org: 'default', node_id: 'pump' },
    ...{ prefix: 'muster/v1', root: rootKey.public.jwk, keys, enrolled_at: toTime(nowMs) },
    broker: { url: 'mqtt://127.0.0.1:1883', username: 'pump', password: 'secret' },
    ...changes,
  };
  return signEnvelope('muster-enrolled', JSON.stringify(payload), signer.signing);
}

/** A server that answers every enrollment so; gives its URL. */
async function startController(
  t: TestScope,
  reply: (jws: string) => Readonly<{ status: number; body: unknown }>,
): Promise<string> {
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const { jws } = z.object({ jws: z.string() }).parse(JSON.parse(Buffer.concat(parts).toString()));
      const { status, body } = request.url === '/api/v1/enroll' ? reply(jws) : { status: 404, body: {} };
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  const port = await listen(server, { host: '127.0.0.1', port: 0, what: 'test' });
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${port}`;
}
