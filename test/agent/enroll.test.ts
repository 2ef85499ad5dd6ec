import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import { z } from 'zod';
import { enroll } from '../../agent/enroll.js';
import { openWithOwnKey, parsePayload, signEnvelope } from '../../protocol/envelope.js';
import { signKeyList } from '../../protocol/key-list.js';
import { Enroll, formatEnrollmentToken } from '../../protocol/messages/enrollment.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { generateKeyPair, type KeyPair } from '../../runtime/key-file.js';
import { listen } from '../../runtime/listen.js';
import { createLogger } from '../../runtime/logger.js';
import { assertRejectsCode } from '../support/assert-code.js';
import { ENVELOPE_EXAMPLES } from '../support/examples.js';

const ROOT = generateKeyPair();
const CONTROLLER = generateKeyPair();
const MALLORY = generateKeyPair();
const NODE = generateKeyPair();
const TOKEN = formatEnrollmentToken({ id: 'k3v9x2p7', secret: 'a'.repeat(32), root: ROOT.public.kid });

type Answer = Readonly<{ status: number; body: unknown }>;

test('a node keeps what a believed answer says, and has proved that it holds its key', async (t) => {
  const bodies: string[] = [];
  const url = await startController(t, (body) => {
    bodies.push(body);
    return { status: 201, body: { jws: enrolled() } };
  });

  const identity = await run(url);

  assert.equal(identity.node, 'pump-7');
  assert.equal(identity.root.kid, ROOT.public.kid);
  const { jws } = z.object({ jws: z.string() }).parse(JSON.parse(bodies[0] ?? ''));
  const { signer, payload } = openWithOwnKey(jws, 64 * 1024);
  assert.equal(signer.kid, NODE.public.kid);
  assert.equal(parsePayload(Enroll, payload).token, TOKEN);
});

for (const [why, jws] of [
  ['signed by a key that the list does not name', () => enrolled({ signer: MALLORY })],
  ['with a root that the token does not name', () => enrolled({ root: MALLORY })],
  ['with a key list that the root did not sign', () => enrolled({ listSigner: MALLORY })],
  ['for the key of another node', () => enrolled({ node: MALLORY })],
  ['that is no envelope', () => 'e30.e30.e30'],
] as const) {
  test(`an answer ${why} is not believed`, async (t) => {
    const url = await startController(t, () => ({ status: 201, body: { jws: jws() } }));
    await assertRejectsCode(run(url), 'enrollment_failed');
  });
}

test('a refusal is final and says what the controller said', async (t) => {
  let asked = 0;
  const url = await startController(t, () => {
    asked += 1;
    return { status: 401, body: { detail: 'The token is used up', code: 'enrollment_token_invalid' } };
  });

  const { message } = await assertRejectsCode(run(url), 'enrollment_failed');

  assert.match(message, /did not enroll this node: The token is used up$/);
  assert.equal(asked, 1);
});

test('a node that has to wait for a person asks again', async (t) => {
  const answers: Answer[] = [
    { status: 202, body: { status: 'pending', retry_after: 1 } },
    { status: 503, body: 'starting' },
    { status: 201, body: { jws: enrolled() } },
  ];
  const url = await startController(t, () => answers.shift() ?? { status: 500, body: '' });

  assert.equal((await run(url)).node, 'pump-7');
  assert.equal(answers.length, 0);
});

test('a token never leaves the machine in the clear, and only a token is sent', async () => {
  for (const url of ['http://controller.example', 'ftp://127.0.0.1', 'controller', 'http://127.0.0.1.example'])
    await assertRejectsCode(run(url), 'usage');
  await assertRejectsCode(run('http://127.0.0.1:1', { token: 'met_abc' }), 'usage');
});

test('a stop ends the wait for a controller that cannot be reached', async () => {
  await assertRejectsCode(run('http://127.0.0.1:1', { signal: AbortSignal.abort() }), 'unavailable');
});

function run(url: string, { token = TOKEN, signal = new AbortController().signal } = {}) {
  const log = createLogger('agent', { level: 'silent' });
  return enroll({ url, token, nodeId: 'pump-7', key: NODE, clock: SYSTEM_CLOCK, log, signal });
}

function enrolled({
  signer = CONTROLLER,
  root = ROOT,
  listSigner,
  node = NODE,
}: Partial<Record<'signer' | 'root' | 'listSigner' | 'node', KeyPair>> = {}): string {
  const keys = signKeyList(
    {
      v: 1,
      org: 'default',
      version: 1,
      keys: [CONTROLLER.public.jwk],
      not_after: new Date(Date.now() + 3_600_000).toISOString(),
    },
    { kid: root.signing.kid, key: (listSigner ?? root).signing.key },
  );
  const payload = { ...ENVELOPE_EXAMPLES['muster-enrolled'], root: root.public.jwk, keys, node_key: node.public.kid };
  return signEnvelope('muster-enrolled', JSON.stringify(payload), signer.signing);
}

/** A controller as far as enrollment goes. */
async function startController(t: TestContext, answer: (body: string) => Answer): Promise<string> {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (bytes: Buffer) => {
      body += bytes.toString();
    });
    request.on('end', () => {
      const { status, body: content } = request.url === '/api/v1/enroll' ? answer(body) : { status: 404, body: '' };
      response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
      response.end(JSON.stringify(content));
    });
  });
  const port = await listen(server, { host: '127.0.0.1', port: 0, what: 'test' });
  t.after(() => new Promise((done) => server.close(done)));
  return `http://127.0.0.1:${port}`;
}
