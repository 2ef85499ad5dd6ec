import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BrokerConfig } from '../../broker/config.js';
import { startBroker } from '../../broker/start.js';
import { ControllerConfig } from '../../controller/config.js';
import { ensureKeys } from '../../controller/identity/keys.js';
import { type RunningController, startController } from '../../controller/start.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { createLogger } from '../../runtime/logger.js';
import { assertRejectsCode } from '../support/assert-code.js';
import type { TestScope } from '../support/broker.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const log = createLogger('controller', { level: 'silent' });
const HURRY = AbortSignal.abort();

test('a controller starts without a broker, says that it waits for one, and is ready once it is there', async (t) => {
  const directory = temporaryDirectory(t);
  const keys = ensureKeys(directory, 'default', SYSTEM_CLOCK);
  const brokerConfig = BrokerConfig.parse({
    ...{ port: 0, metrics_port: 0, root_file: keys.rootFile, keys_file: keys.listFile },
  });
  const first = await startBroker({ config: brokerConfig, log, clock: SYSTEM_CLOCK });
  await first.stop(HURRY);
  const controller = await start(t, directory, `mqtt://127.0.0.1:${first.port}`);
  assert.equal((await fetch(`${controller.url}/readyz`)).status, 503);

  const config = { ...brokerConfig, port: first.port };
  const broker = await startBroker({ config, log, clock: SYSTEM_CLOCK });
  t.after(() => broker.stop(HURRY));

  await until(async () => (await fetch(`${controller.url}/readyz`)).status === 200, { what: 'ready' });
});

test('the owner token is told once and opens the API', async (t) => {
  const directory = temporaryDirectory(t);
  const controller = await start(t, directory);
  const headers = { authorization: `Bearer ${controller.ownerToken}` };

  const me = await fetch(`${controller.url}/api/v1/me`, { headers });
  assert.deepEqual(await me.json(), { id: 'owner', org: 'default', role: 'owner' });
  await controller.stop(HURRY);

  const again = await start(t, directory);
  assert.equal(again.ownerToken, undefined);
  assert.equal((await fetch(`${again.url}/api/v1/me`, { headers })).status, 200);
});

test('two controllers do not share a data directory', async (t) => {
  const directory = temporaryDirectory(t);
  await start(t, directory);

  await assertRejectsCode(start(t, directory), 'already_running');
});

test('a controller that cannot listen lets go of its data directory', async (t) => {
  const taken = await start(t, temporaryDirectory(t));
  const directory = temporaryDirectory(t);
  const config = ControllerConfig.parse({ data_dir: directory, port: taken.port });

  await assertRejectsCode(startController({ config, log, clock: SYSTEM_CLOCK }), 'port_in_use');

  await start(t, directory);
});

test('a CA file that cannot be read is a fault of the configuration', async (t) => {
  const directory = temporaryDirectory(t);
  const config = ControllerConfig.parse({ data_dir: directory, port: 0, broker_ca_file: `${directory}/none.pem` });
  await assertRejectsCode(startController({ config, log, clock: SYSTEM_CLOCK }), 'config_invalid');
});

async function start(t: TestScope, directory: string, brokerUrl = 'mqtt://127.0.0.1:9'): Promise<RunningController> {
  const config = ControllerConfig.parse({ data_dir: directory, port: 0, broker_url: brokerUrl });
  const controller = await startController({ config, log, clock: SYSTEM_CLOCK });
  t.after(() => controller.stop(HURRY));
  return controller;
}
