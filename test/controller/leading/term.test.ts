import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { createBrokerLink } from '../../../controller/broker-link.js';
import { ControllerConfig } from '../../../controller/config.js';
import { NO_DASHBOARD } from '../../../controller/http/dashboard.js';
import { startFront } from '../../../controller/http/front.js';
import { ensureOwnerToken } from '../../../controller/identity/api-tokens.js';
import { startKeyring } from '../../../controller/identity/keyring.js';
import { createAdapters } from '../../../controller/integrations/adapters/list.js';
import { beginTerm } from '../../../controller/leading/term.js';
import { openStore } from '../../../controller/store/store.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import type { TestScope } from '../../support/broker.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const log = createLogger('controller', { level: 'silent' });
const clock = SYSTEM_CLOCK;

test('a controller that may lead no longer answers 503 before its term has ended, WebSockets too', async (t) => {
  const term = await startTerm(t);
  const headers = { authorization: `Bearer ${term.token}` };
  const status = async (): Promise<number> => (await fetch(`${term.url}/api/v1/me`, { headers })).status;
  const upgrade = async (): Promise<number | undefined> => {
    const socket = new WebSocket(`${term.url.replace('http', 'ws')}/api/v1/events`, { headers });
    t.after(() => socket.terminate());
    return new Promise((answered) => {
      socket.on('error', () => undefined); // it is ended before it is open
      socket.once('open', () => answered(101));
      socket.once('unexpected-response', (_request, { statusCode }) => answered(statusCode));
    });
  };
  assert.deepEqual([await status(), await upgrade()], [200, 101]);

  term.lose();

  assert.deepEqual([await status(), await upgrade()], [503, 503]);
});

test('nothing is published once another controller may lead', async () => {
  const link = createBrokerLink(() => false);
  const topic = { prefix: 'muster/v1', org: 'default', node: 'pump-1' };
  await assertRejectsCode(link.publish('control', topic, 'x'), 'not_connected');
});

async function startTerm(t: TestScope) {
  const directory = temporaryDirectory(t);
  const keyring = startKeyring({ directory, org: 'default', clock, log });
  t.after(keyring.stop);
  const store = await openStore(directory);
  t.after(store.close);
  const token = await ensureOwnerToken(store, 'default', clock.nowMs());
  const config = ControllerConfig.parse({ data_dir: directory, port: 0, broker_url: 'mqtt://127.0.0.1:9' });
  const front = await startFront(config, log);
  t.after(front.stop);
  let holds = true;
  const end = await beginTerm({
    ...{
      store,
      keyring,
      config,
      clientId: 'ctl-test',
      brokerCa: undefined,
      adapters: createAdapters(),
      webhooks: [],
      oidc: undefined,
      dashboard: NO_DASHBOARD,
      front,
      clock,
      log,
    },
    ...{ ready: 'leader', holds: () => holds },
  });
  t.after(end);
  return { url: front.url, token, lose: () => (holds = false) };
}
