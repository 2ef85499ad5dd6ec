import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createLogger } from '../../runtime/logger.js';
import { startSystemdNotifier } from '../../runtime/systemd.js';
import { lacksSystemd, listenLikeSystemd, type ServiceManager } from '../support/systemd.js';
import { until } from '../support/until.js';

const log = createLogger('agent', { level: 'silent' });
/** A ping each 50 ms. */
const WATCHDOG_USEC = '200000';

function notifierFor(t: TestContext, { socket }: ServiceManager, env: Record<string, string> = { WATCHDOG_USEC }) {
  const notifier = startSystemdNotifier({
    env: { NOTIFY_SOCKET: socket, PATH: process.env.PATH, ...env },
    pid: process.pid,
    log,
  });
  assert.ok(notifier);
  t.after(notifier.end);
  return notifier;
}

test('a process that systemd did not start says nothing', () => {
  assert.equal(startSystemdNotifier({ env: { WATCHDOG_USEC }, pid: process.pid, log }), undefined);
});

test('a start that takes long is extended, readiness comes with a status, and a pulse is a sign of life', async (t) => {
  const lacks = lacksSystemd();
  if (lacks !== undefined) return t.skip(lacks);
  const systemd = await listenLikeSystemd(t);

  const notifier = notifierFor(t, systemd);
  await until(() => systemd.count('EXTEND_TIMEOUT_USEC=60000000') === 1, { what: 'more time to start' });
  assert.equal(systemd.count('READY=1'), 0);
  notifier.ready(async () => 'all is "well" $(here)');
  await until(() => systemd.count('WATCHDOG=1') >= 3, { what: 'signs of life' });
  notifier.stopping();
  await until(() => systemd.count('STOPPING=1') === 1, { what: 'the announced end' });

  assert.equal(systemd.count('READY=1'), 1);
  assert.equal(systemd.count('STATUS=all is "well" $(here)'), 1, 'a status that has not changed is said once');
});

test('without an answer of what it lives by there is no sign of life, and with it they go on', async (t) => {
  const lacks = lacksSystemd();
  if (lacks !== undefined) return t.skip(lacks);
  const systemd = await listenLikeSystemd(t);
  let answer: () => void = () => undefined;
  let hangs = false;

  notifierFor(t, systemd).ready(async () => {
    if (hangs) await new Promise<void>((resolve) => (answer = resolve));
    return 'ok';
  });
  await until(() => systemd.count('WATCHDOG=1') >= 2, { what: 'signs of life' });
  hangs = true;
  await systemd.silence(500);
  const before = systemd.count('WATCHDOG=1');
  hangs = false;
  answer();

  await until(() => systemd.count('WATCHDOG=1') >= before + 2, { what: 'signs of life again' });
});

test('a watchdog of another process gets no sign of life of ours', async (t) => {
  const lacks = lacksSystemd();
  if (lacks !== undefined) return t.skip(lacks);
  const systemd = await listenLikeSystemd(t);

  notifierFor(t, systemd, { WATCHDOG_USEC, WATCHDOG_PID: '1' }).ready(async () => 'ok');
  await until(() => systemd.count('STATUS=ok') === 1, { what: 'the status' });
  await systemd.silence(300);

  assert.equal(systemd.count('WATCHDOG=1'), 0);
});
