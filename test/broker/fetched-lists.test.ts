import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import test from 'node:test';
import { BrokerConfig } from '../../broker/config.js';
import { startFetchedLists } from '../../broker/fetched-lists.js';
import { startBroker } from '../../broker/start.js';
import { signBrokerToken } from '../../protocol/broker-token.js';
import { signKeyList } from '../../protocol/key-list.js';
import { signRevocations } from '../../protocol/revocations.js';
import { SYSTEM_CLOCK, toTime } from '../../runtime/clock.js';
import { generateKeyPair, type KeyPair } from '../../runtime/key-file.js';
import { listen } from '../../runtime/listen.js';
import { createLogger } from '../../runtime/logger.js';
import { assertRejectsCode } from '../support/assert-code.js';
import type { TestScope } from '../support/broker.js';
import { OWNER, startTestCore } from '../support/core.js';
import { startTestHttp } from '../support/http.js';
import { connectClient, refusalOf, whenClosed } from '../support/mqtt-clients.js';
import { enrollment } from '../support/scripted-agent.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const log = createLogger('broker', { level: 'silent' });

test('promise 20: a broker elsewhere learns of a removed node by itself, and still knows when it starts alone', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const http = await startTestHttp(t, services);
  const start = farBroker(t, muster.keyring.keys.rootFile, http.url);
  const broker = await start();
  const { token } = await services.enrollment.createToken(OWNER, { uses: 1, expires_in: '2h', groups: [], labels: {} });
  const key = generateKeyPair();
  await services.enrollment.enroll(enrollment(key, { token, node_id: 'pump-7' }));
  const credential = nodeCredential('pump-7', key.public.kid, muster.keyring.keys.signing);
  const node = await connectClient(t, broker.url, credential);
  const closed = whenClosed(node);

  await services.nodes.remove(OWNER, 'pump-7');

  await closed;
  assert.equal(await refusalOf(broker.url, credential), 4);
  await broker.stop(AbortSignal.abort());
  await http.stop();
  const again = await start();
  assert.equal(await refusalOf(again.url, credential), 4);
});

test('the lists are answered with an ETag, and with 304 while they are the same', async (t) => {
  const { core, keyring } = await startTestCore(t);
  const { url } = await startTestHttp(t, core.services);
  for (const [name, file] of [
    ['keys', keyring.keys.listFile],
    ['revocations', keyring.keys.listFile.replace('keys.jws', 'revocations.jws')],
  ] as const) {
    const first = await fetch(`${url}/api/v1/broker/${name}`);
    const etag = first.headers.get('etag') ?? '';
    assert.equal(first.headers.get('content-type'), 'application/jose');
    assert.equal(await first.text(), readFileSync(file, 'utf8'));
    const again = await fetch(`${url}/api/v1/broker/${name}`, { headers: { 'if-none-match': etag } });
    assert.deepEqual([again.status, await again.text(), again.headers.get('etag')], [304, '', etag]);
  }
});

test('what another key signed, what is older and what is no list changes nothing, and nothing at all is no key list', async (t) => {
  const [root, signing, foreign] = [generateKeyPair(), generateKeyPair(), generateKeyPair()];
  const directory = temporaryDirectory(t);
  const files = { keysFile: join(directory, 'keys.jws'), revocationsFile: join(directory, 'revocations.jws') };
  const served = await startServer(t);
  const from = { url: served.url, org: 'default', root: root.public, pollMs: 10, log, ...files };
  await assertRejectsCode(startFetchedLists(from), 'unavailable');
  const kept = { keys: keysOf(5, root, signing), revocations: revocationsOf(5, signing) };
  served.serve(kept);
  t.after(await startFetchedLists(from));

  for (const bad of [
    { keys: keysOf(4, root, signing), revocations: revocationsOf(4, signing) },
    { keys: keysOf(6, foreign, signing), revocations: revocationsOf(6, foreign) },
    { keys: 'no list', revocations: '' },
  ]) {
    served.serve(bad);
    await served.rounds(2);
    assert.equal(readFileSync(files.keysFile, 'utf8'), kept.keys);
    assert.equal(readFileSync(files.revocationsFile, 'utf8'), kept.revocations);
  }
  const next = { keys: keysOf(6, root, signing), revocations: revocationsOf(5, signing, ['pump-7']) };
  served.serve(next);
  // A round may be under way, with one of the lists from before.
  for (const [file, list] of [
    [files.revocationsFile, next.revocations],
    [files.keysFile, next.keys],
  ] as const) {
    await until(() => readFileSync(file, 'utf8') === list, { what: 'the next list' });
  }
});

/** Stands for a controller, or for whoever took its address. */
async function startServer(t: TestScope) {
  let lists = { keys: '', revocations: '' };
  let asked = 0;
  const server = createServer(({ url = '' }, response) => {
    asked += 1;
    response.end(url.endsWith('/keys') ? lists.keys : lists.revocations);
  });
  const port = await listen(server, { host: '127.0.0.1', port: 0, what: 'a controller' });
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://127.0.0.1:${port}`,
    serve(next: typeof lists): void {
      lists = next;
    },
    rounds(count: number): Promise<unknown> {
      const enough = asked + 2 * count + 1; // one may have been on its way
      return until(() => asked >= enough, { what: 'it asks again' });
    },
  };
}

function keysOf(version: number, root: KeyPair, { public: { jwk } }: KeyPair): string {
  const not_after = toTime(Date.now() + 3_600_000);
  return signKeyList({ v: 1, org: 'default', version, keys: [jwk], not_after }, root.signing);
}

function revocationsOf(version: number, { signing }: KeyPair, nodes: readonly string[] = []): string {
  const revoked = nodes.map((node) => ({ node, node_key: 'k'.repeat(43) }));
  return signRevocations({ v: 1, org: 'default', version, issued_at: toTime(Date.now()), nodes: revoked }, signing);
}

/** A broker that has the root key and nothing else. */
function farBroker(t: TestScope, rootFile: string, controller_url: string) {
  const directory = temporaryDirectory(t);
  const config = BrokerConfig.parse({
    ...{ port: 0, metrics_port: 0, root_file: rootFile, controller_url },
    keys_file: join(directory, 'keys', 'keys.jws'),
  });
  return async () => {
    const broker = await startBroker({ config, log, clock: SYSTEM_CLOCK });
    t.after(() => broker.stop(AbortSignal.abort()));
    return { ...broker, url: `mqtt://127.0.0.1:${broker.port}` };
  };
}

function nodeCredential(node: string, nodeKey: string, signing: KeyPair['signing']) {
  const iat = Math.floor(Date.now() / 1000);
  const password = signBrokerToken(
    { org: 'default', sub: node, role: 'node', groups: [], node_key: nodeKey, iat, exp: iat + 3600 },
    signing,
  );
  return { clientId: node, username: node, password };
}
