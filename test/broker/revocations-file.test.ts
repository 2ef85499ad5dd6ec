import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { signBrokerToken } from '../../protocol/broker-token.js';
import { openRevocations, signRevocations } from '../../protocol/revocations.js';
import { toTime } from '../../runtime/clock.js';
import { generateKeyPair, type KeyPair } from '../../runtime/key-file.js';
import { createLogger } from '../../runtime/logger.js';
import { assertThrowsCode } from '../support/assert-code.js';
import { startTestBroker, type TestBroker, type TestScope } from '../support/broker.js';
import { deniedCount } from '../support/broker-metrics.js';
import { connectClient, refusalOf, whenClosed } from '../support/mqtt-clients.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const KEY = 'k'.repeat(43);
const OTHER_KEY = 'o'.repeat(43);

test('promise 20: a removed node is cut off within seconds and not let in, and its neighbours stay', async (t) => {
  const { broker, revoke } = await startPair(t);
  const removed = await connectClient(t, broker.url, nodeCredential(broker, 'pump-7', KEY));
  const neighbour = await connectClient(t, broker.url, nodeCredential(broker, 'pump-8', OTHER_KEY));
  const closed = whenClosed(removed);

  revoke(1, [{ node: 'pump-7', node_key: KEY }]);

  await closed;
  assert.equal(await deniedCount(broker, 'revoked'), 1);
  assert.equal(await refusalOf(broker.url, nodeCredential(broker, 'pump-7', KEY)), 4);
  assert.equal(neighbour.connected, true);
});

test('a node that came back under the same name with another key is let in', async (t) => {
  const { broker, revoke, logged } = await startPair(t);
  revoke(1, [{ node: 'pump-7', node_key: KEY }]);
  await until(() => logged().includes('list of revocations read'), { what: 'the list' });

  const back = await connectClient(t, broker.url, nodeCredential(broker, 'pump-7', OTHER_KEY));

  assert.equal(back.connected, true);
  assert.equal(await refusalOf(broker.url, broker.credential('node', 'pump-7')), 4, 'a password that names no key');
});

test('a controller is no node, whatever it is called', async (t) => {
  const { broker, revoke, logged } = await startPair(t);
  revoke(1, [{ node: 'ctl-7', node_key: KEY }]);
  await until(() => logged().includes('list of revocations read'), { what: 'the list' });
  assert.equal((await connectClient(t, broker.url, broker.credential('controller', 'ctl-7'))).connected, true);
});

test('an older list, one that another key signed, a damaged one and none at all bring nobody back', async (t) => {
  const { broker, revoke, logged, file } = await startPair(t);
  revoke(5, [{ node: 'pump-7', node_key: KEY }]);
  await until(() => logged().includes('list of revocations read'), { what: 'the list' });
  const refusals = (): number => logged().split('refused').length - 1;

  revoke(4, []);
  await until(() => refusals() === 1, { what: 'the older list is refused' });
  revoke(6, [], generateKeyPair());
  await until(() => refusals() === 2, { what: 'the foreign list is refused' });
  writeFileSync(file, 'not a list');
  await until(() => refusals() === 3, { what: 'the damaged list is refused' });
  rmSync(file);
  await until(() => refusals() === 4, { what: 'the missing file is noticed' });

  assert.equal(await refusalOf(broker.url, nodeCredential(broker, 'pump-7', KEY)), 4);
});

test('a list of another org does not count', () => {
  const key = generateKeyPair();
  const jws = signRevocations({ v: 1, org: 'other', version: 1, issued_at: toTime(0), nodes: [] }, key.signing);
  const keyOf = () => ({ key: key.public.key, role: 'controller' }) as const;
  assertThrowsCode(() => openRevocations(jws, { org: 'default', keyOf }), 'wrong_audience');
  assert.equal(openRevocations(jws, { org: 'other', keyOf }).size, 0);
});

function nodeCredential(broker: TestBroker, node: string, nodeKey: string) {
  const iat = Math.floor(Date.now() / 1000);
  const password = signBrokerToken(
    { org: 'default', sub: node, role: 'node', groups: [], node_key: nodeKey, iat, exp: iat + 3600 },
    broker.controller.signing,
  );
  return { clientId: node, username: node, password };
}

type Revoked = Readonly<{ node: string; node_key: string }>;

async function startPair(t: TestScope) {
  const file = join(temporaryDirectory(t), 'revocations.jws');
  const lines: string[] = [];
  const log = createLogger('broker', { destination: { write: (line) => lines.push(line) } });
  const broker = await startTestBroker(t, { config: { revocations_file: file }, log });
  return {
    ...{ broker, file },
    logged: () => lines.filter((line) => line.includes('revocations')).join(''),
    revoke(version: number, nodes: readonly Revoked[], signer: KeyPair = broker.controller): void {
      const jws = signRevocations(
        { v: 1, org: 'default', version, issued_at: toTime(Date.now()), nodes: [...nodes] },
        signer.signing,
      );
      writeFileSync(file, jws);
    },
  };
}
