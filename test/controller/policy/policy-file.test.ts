import assert from 'node:assert/strict';
import { once } from 'node:events';
import { utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createClient } from '../../../cli/client.js';
import { readConnection } from '../../../cli/installation.js';
import { ControllerConfig } from '../../../controller/config.js';
import { AuditView } from '../../../controller/http/audit-schemas.js';
import { PolicyView } from '../../../controller/http/policy-schemas.js';
import { startController } from '../../../controller/start.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import type { TestScope } from '../../support/broker.js';
import { endOf, spawnMuster } from '../../support/muster.js';
import { storeSetting } from '../../support/store-place.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

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

test('a policy file that changes is in force without a restart, and a faulty one changes nothing and is told of', async (t) => {
  const installation = await install(t);
  const running = await installation.run('approval_time: 7m');

  installation.write('approval_time: soon');
  const [refused] = await until(() => running.audited('policy_file_refused'), { what: 'the row of the faulty file' });
  assert.deepEqual(await running.read(), [1, 'file', '7m']);
  assert.deepEqual([refused?.actor, refused?.subject], ['controller', 'policy:1']);
  assert.match(String(refused?.details.faults), /approval_time: must be a duration/);

  installation.write('approval_time: 8m');
  await until(async () => (await running.read())[2] === '8m', { what: 'the new policy' });
  assert.deepEqual(await running.read(), [2, 'file', '8m']);
  assert.equal((await running.audited('policy_changed'))?.length, 2);
});

test('SIGHUP makes the controller read its policy file at once', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'policy.yaml');
  const write = (time: string): void => {
    writeFileSync(file, `v: 1\napproval_time: ${time}\n`);
    utimesSync(file, 1_000_000, 1_000_000); // so that nothing but the signal makes it look
  };
  write('7m');
  const { store_url: url } = await storeSetting(t);
  const env = { MUSTER_CONTROLLER_PORT: '0', ...(url === undefined ? {} : { MUSTER_CONTROLLER_STORE_URL: url }) };
  const controller = spawnMuster(t, ['controller', '--data', directory, '--policy-file', file], env);
  const ended = endOf(controller);
  await once(controller, 'message');
  const client = createClient(readConnection(directory));

  write('8m');
  controller.kill('SIGHUP');

  const timeNow = async () => (await client.call(PolicyView, { path: '/policy' })).policy.approval_time;
  await until(async () => (await timeNow()) === '8m', { what: 'the new policy' });
  controller.kill('SIGTERM');
  assert.equal((await ended).exitCode, 0);
});

/** One data directory, in which controllers run one after the other, each with a policy file or without. */
async function install(t: TestScope) {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'policy.yaml');
  const settings = { data_dir: join(directory, 'controller'), port: 0, ...(await storeSetting(t)) };
  let token = '';
  const write = (policy: string): void => writeFileSync(file, `v: 1\n${policy}\n`);
  return {
    write,
    async run(policy: string | undefined) {
      if (policy !== undefined) write(policy);
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
        /** Undefined while there is none. */
        async audited(event: string) {
          const rows = await client.list(AuditView, { path: '/audit', query: { event } });
          return rows.length === 0 ? undefined : rows;
        },
        replace: () =>
          client.call(PolicyView, { method: 'PUT', path: '/policy', body: { v: 1 }, headers: { 'if-match': '*' } }),
      };
    },
  };
}
