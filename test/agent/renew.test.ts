import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { z } from 'zod';
import { loadIdentity } from '../../agent/identity.js';
import { renewPassword } from '../../agent/renew.js';
import { openEnvelope, parsePayload } from '../../protocol/envelope.js';
import { Renew } from '../../protocol/messages/enrollment.js';
import { generateKeyPair } from '../../runtime/key-file.js';
import { listen } from '../../runtime/listen.js';
import { assertRejectsCode } from '../support/assert-code.js';
import { startTestBroker, type TestScope } from '../support/broker.js';
import { keyOfAgent, scriptController, startControlledAgent } from '../support/controlled-agent.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

test('a node whose broker password has expired gets a new one over HTTP and connects', async (t) => {
  const broker = await startTestBroker(t);
  const directory = temporaryDirectory(t);
  const nonce = randomUUID();
  const url = await startController(t, nonce, (jws) => {
    const { key, kid } = keyOfAgent(directory).public;
    const keyOf = (asked: string) => (asked === kid ? { key, role: 'node' as const } : undefined);
    const { payload } = openEnvelope(jws, { typ: 'muster-renew', maxBytes: 4096, keyOf });
    assert.deepEqual(parsePayload(Renew, payload), { v: 1, org: 'default', node: 'pump', nonce });
    return broker.credential('node', 'pump').password;
  });
  await scriptController(t, broker, () => keyOfAgent(directory));
  const expired = broker.passwordFor({ role: 'node', id: 'pump', org: broker.org, groups: [] }, -60);

  const agent = await startControlledAgent(t, broker, directory, {
    random: () => 0,
    identity: { controller_url: url, password: expired },
  });
  await agent.whenWelcomed;

  assert.notEqual(loadIdentity(directory)?.broker.password, expired);
});

test('an answer to a renewal that is too large is not taken', async (t) => {
  const { signing } = generateKeyPair();
  const url = await startController(t, randomUUID(), () => 'x'.repeat(64 * 1024));

  const { message, cause } = await assertRejectsCode(
    renewPassword({ url, org: 'default', node: 'pump', signing, signal: new AbortController().signal }),
    'unavailable',
  );

  assert.match(message, /gave no new password/);
  assert.match(String(cause), /larger than 16384 bytes/);
});

/** A controller that knows only how to renew; gives its URL. */
async function startController(t: TestScope, nonce: string, renew: (jws: string) => string): Promise<string> {
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      response.writeHead(200, { 'content-type': 'application/json' });
      if (request.method === 'GET' && request.url === '/api/v1/nonce') return response.end(JSON.stringify({ nonce }));
      assert.deepEqual([request.method, request.url], ['POST', '/api/v1/renew']);
      const { jws } = z.object({ jws: z.string() }).parse(JSON.parse(Buffer.concat(parts).toString()));
      return response.end(JSON.stringify({ username: 'pump', password: renew(jws) }));
    });
  });
  const port = await listen(server, { host: '127.0.0.1', port: 0, what: 'test' });
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${port}`;
}
