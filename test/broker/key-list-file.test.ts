import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { type KeySource, startKeyListFile } from '../../broker/key-list-file.js';
import { signKeyList } from '../../protocol/key-list.js';
import { toTime } from '../../runtime/clock.js';
import { generateKeyPair, type KeyPair } from '../../runtime/key-file.js';
import { createLogger } from '../../runtime/logger.js';
import { assertThrowsCode } from '../support/assert-code.js';
import { startTestBroker, type TestScope } from '../support/broker.js';
import { deniedCount } from '../support/broker-metrics.js';
import { connectClient, refusalOf, whenClosed } from '../support/mqtt-clients.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { createTestClock, type TestClock } from '../support/test-clock.js';
import { until } from '../support/until.js';

const DAY_MS = 24 * 3600 * 1000;

type KeyFiles = Readonly<{
  root: KeyPair;
  clock: TestClock;
  keysFile: string;
  writeList: (version: number, keys: readonly KeyPair[], signer?: KeyPair) => void;
  start: () => KeySource;
  logged: () => string;
}>;

/** The two files that the broker reads, in a directory of their own, and what was logged about them. */
function createKeyFiles(t: TestScope): KeyFiles {
  const directory = temporaryDirectory(t);
  const root = generateKeyPair();
  const clock = createTestClock();
  const [rootFile, keysFile] = [join(directory, 'root.jwk.json'), join(directory, 'keys.jws')];
  writeFileSync(rootFile, JSON.stringify(root.public.jwk));
  const lines: string[] = [];
  const log = createLogger('broker', { destination: { write: (line) => lines.push(line) } });
  return {
    ...{ root, clock, keysFile },
    writeList: (version, keys, signer = root) => {
      const notAfter = toTime(clock.nowMs() + 30 * DAY_MS);
      const payload = {
        v: 1,
        org: 'default',
        version,
        keys: keys.map((pair) => pair.public.jwk),
        not_after: notAfter,
      } as const;
      writeFileSync(keysFile, `${signKeyList(payload, signer.signing)}\n`);
    },
    start: () => {
      const source = startKeyListFile({ rootFile, keysFile, org: 'default', clock, log });
      t.after(source.stop);
      return source;
    },
    logged: () => lines.join(''),
  };
}

test('a newer key list is believed within moments of being written', async (t) => {
  const [first, second] = [generateKeyPair(), generateKeyPair()];
  const files = createKeyFiles(t);
  files.writeList(1, [first]);
  const source = files.start();
  assert.ok(source.keyOf(first.public.kid));
  assert.equal(source.keyOf(second.public.kid), undefined);

  files.writeList(2, [second]);

  await until(() => source.keyOf(second.public.kid), { what: 'the second key' });
  assert.equal(source.keyOf(first.public.kid), undefined);
});

test('a lower version, a list that another root signed and a damaged file change nothing and are logged', async (t) => {
  const [first, second] = [generateKeyPair(), generateKeyPair()];
  const files = createKeyFiles(t);
  files.writeList(2, [first]);
  const source = files.start();
  const refusals = (): number => files.logged().split('refused').length - 1;

  files.writeList(1, [second]);
  await until(() => refusals() === 1, { what: 'the lower version is refused' });
  files.writeList(3, [second], generateKeyPair());
  await until(() => refusals() === 2, { what: 'the foreign list is refused' });
  writeFileSync(files.keysFile, 'not a key list');
  await until(() => refusals() === 3, { what: 'the damaged file is refused' });
  rmSync(files.keysFile);
  await until(() => refusals() === 4, { what: 'the missing file is noticed' });

  assert.ok(source.keyOf(first.public.kid));
  assert.equal(source.keyOf(second.public.kid), undefined);
});

test('past its not_after a key list vouches for nobody and the broker is not ready', async (t) => {
  const key = generateKeyPair();
  const files = createKeyFiles(t);
  files.writeList(1, [key]);
  const source = files.start();
  const broker = await startTestBroker(t, { keys: source, clock: files.clock });
  const ready = async (): Promise<number> => (await fetch(`http://127.0.0.1:${broker.metricsPort}/readyz`)).status;
  assert.equal(await ready(), 200);

  files.clock.advance(31 * DAY_MS);

  assert.equal(source.keyOf(key.public.kid), undefined);
  assert.equal(await ready(), 503);
});

test('a key that leaves the list ends the connections that it vouched for and admits nobody', async (t) => {
  const files = createKeyFiles(t);
  const broker = await startTestBroker(t, {
    keysFrom: (controller) => {
      files.writeList(1, [controller]);
      return files.start();
    },
  });
  const node = await connectClient(t, broker.url, broker.credential('node', 'pump-7'));
  const closed = whenClosed(node);

  files.writeList(2, [generateKeyPair()]);

  await closed;
  assert.equal(await deniedCount(broker, 'revoked'), 1);
  assert.equal(await refusalOf(broker.url, broker.credential('node', 'pump-7')), 4);
});

test('a start without usable key files fails with a sentence', (t) => {
  const files = createKeyFiles(t);
  assertThrowsCode(files.start, 'config_invalid');

  writeFileSync(files.keysFile, 'x');
  assert.match(assertThrowsCode(files.start, 'config_invalid').message, /broker\.keys_file/);

  writeFileSync(join(files.keysFile, '..', 'root.jwk.json'), '{"kty":"RSA"}');
  assert.match(assertThrowsCode(files.start, 'config_invalid').message, /broker\.root_file/);
});
