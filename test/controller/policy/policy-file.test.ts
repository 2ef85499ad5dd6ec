import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createClient } from '../../../cli/client.js';
import { ControllerConfig } from '../../../controller/config.js';
import { PolicyView } from '../../../controller/http/policy-schemas.js';
import { startController } from '../../../controller/start.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import type { TestScope } from '../../support/broker.js';
import { storeSetting } from '../../support/store-place.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

test('the policy of a file is in force from the start, once, and is changed there alone', async (t) => {
  const installation = await install(t);
  const first = await installation.run('approval_time: 7m');
  assert.deepEqual(await first.read(), [1, 'file', '7m']);
  await assertRejectsCode(first.replace(), 'conflict');
  await first.stop();

  const same = await installation.run('approval_time: 7m # said otherwise');
  assert.deepEqual(await same.read(), [1, 'file', '7m']);
  await same.stop();

  const other = await installation.run('approval_time: 8m');
  assert.deepEqual(await other.read(), [2, 'file', '8m']);
  await other.stop();

  const without = await installation.run(undefined);
  assert.deepEqual(await without.read(), [2, 'file', '8m'], 'what was in force stays so');
  await without.replace();
  assert.deepEqual(await without.read(), [3, 'api', '5m']);
  await without.stop();

  const back = await installation.run('approval_time: 8m');
  assert.deepEqual(await back.read(), [4, 'file', '8m']);
});

test('a faulty policy file keeps the controller from starting before it has made anything', async (t) => {
  const installation = await install(t);

  const { message } = await assertRejectsCode(installation.run('approval_time: soon\nrisk: []'), 'config_invalid');

  assert.match(message, /has 2 faults:/);
  assert.deepEqual(await (await installation.run('approval_time: 7m')).read(), [1, 'file', '7m']);
});

/** One data directory, in which controllers run one after the other, each with a policy file or without. */
async function install(t: TestScope) {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'policy.yaml');
  const settings = { data_dir: join(directory, 'controller'), port: 0, ...(await storeSetting(t)) };
  let token = '';
  return {
    async run(policy: string | undefined) {
      if (policy !== undefined) writeFileSync(file, `v: 1\n${policy}\n`);
      const config = ControllerConfig.parse({ ...settings, ...(policy === undefined ? {} : { policy_file: file }) });
      const log = createLogger('controller', { level: 'silent' });
      const controller = await startController({ config, log, clock: SYSTEM_CLOCK });
      const stop = () => controller.stop(AbortSignal.abort());
      t.after(stop);
      token = controller.ownerToken ?? token;
      const client = createClient({ url: controller.url, token });
      return {
        stop,
        async read() {
          const { version, source, policy: document } = await client.call(PolicyView, { path: '/policy' });
          return [version, source, document.approval_time];
        },
        replace: () =>
          client.call(PolicyView, { method: 'PUT', path: '/policy', body: { v: 1 }, headers: { 'if-match': '*' } }),
      };
    },
  };
}
