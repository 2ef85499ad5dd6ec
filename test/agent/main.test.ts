import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { sha256Hex } from '../../protocol/envelope.js';
import { formatEnrollmentToken } from '../../protocol/messages/enrollment.js';
import { listen } from '../../runtime/listen.js';
import { startTestBroker, type TestScope } from '../support/broker.js';
import { startChild, startChildWith, type TestChild } from '../support/child.js';
import { enrollByHand, keyOfAgent, scriptController } from '../support/controlled-agent.js';
import { writeHook } from '../support/hooks.js';
import { lacksSystemd, listenLikeSystemd } from '../support/systemd.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const MAIN = '../../agent/main.ts';

test('an agent that is not enrolled says how to enroll it, and ends with 78', async (t) => {
  const { code, stderr } = await startChild(t, MAIN, ['--data', temporaryDirectory(t)]).ended;

  assert.equal(code, 78);
  assert.match(stderr, /not enrolled.*--enroll URL/);
});

for (const [what, args, exitCode] of [
  ['an unknown flag', ['--colour=red'], 2],
  ['a setting out of its bounds', ['--max-concurrent=0'], 78],
] as const) {
  test(`${what} ends with ${exitCode} and a sentence`, async (t) => {
    const { code, stderr } = await startChild(t, MAIN, args).ended;

    assert.equal(code, exitCode);
    assert.match(stderr, /What to do: /);
    assert.doesNotMatch(stderr, /at .*\.ts:\d/);
  });
}

test('a second agent on one data directory ends with 69', async (t) => {
  const { start } = await setUp(t);
  await welcomed(start());

  const { code, stderr } = await start().ended;

  assert.equal(code, 69);
  assert.match(stderr, /already_running/);
});

test('a descriptor that the agent was started with does not reach a hook, however high it is', async (t) => {
  const { controller, directory, hooksDir, start } = await setUp(t);
  const script = '#!/bin/sh\nexec ls -l /proc/self/fd\n';
  writeHook(hooksDir, 'open', script);
  const secret = join(directory, 'identity.json');
  const agent = start({ INHERITED: secret }, [
    'bash',
    '-c',
    'exec 25<"$INHERITED" 200<"$INHERITED"; exec "$@"',
    'bash',
  ]);
  await welcomed(agent);

  await controller.send('node_request', controller.request({ action: 'open', checksum: sha256Hex(script) }));

  const { status, stdout } = await controller.hear('result');
  assert.equal(status, 'success');
  assert.match(String(stdout), / 1 -> /);
  assert.doesNotMatch(String(stdout), /identity\.json| (25|200) -> /);
});

test('after three kills within ten minutes an agent takes only reading actions (promise 24)', async (t) => {
  const { controller, hooksDir, start } = await setUp(t);
  const script = '#!/bin/sh\n';
  writeHook(hooksDir, 'change', script);
  const ask = async (action: string): Promise<unknown> => {
    const request = controller.request({ action, ...(action === 'change' ? { checksum: sha256Hex(script) } : {}) });
    await controller.send('node_request', request);
    return (await controller.hear('ack', ({ execution_id }) => execution_id === request.execution_id)).reason;
  };
  for (let kills = 0; kills < 3; kills += 1) {
    const agent = start();
    await welcomed(agent);
    assert.equal(await ask('change'), '', `after ${kills} kills`);
    agent.child.kill('SIGKILL');
    await agent.ended;
  }

  await welcomed(start());

  assert.deepEqual([await ask('change'), await ask('gather_info')], ['max_concurrent_reached', '']);
});

test('SIGTERM ends an agent with 0, and it says offline', async (t) => {
  const { controller, start } = await setUp(t);
  const agent = start();
  await welcomed(agent);

  agent.child.kill('SIGTERM');

  assert.equal((await agent.ended).code, 0);
  assert.equal((await controller.hear('status', ({ state }) => state === 'offline')).reason, 'stopped');
});

test('SIGTERM while an agent enrolls ends it with 0, and it lets go of its directory', async (t) => {
  let asked = 0;
  const controller = createServer(() => {
    asked += 1; // and never answers
  });
  const port = await listen(controller, { host: '127.0.0.1', port: 0, what: 'test' });
  t.after(() => {
    controller.closeAllConnections();
    controller.close();
  });
  const token = formatEnrollmentToken({ id: 'abcdef12', secret: 'A'.repeat(32), root: 'R'.repeat(43) });
  const args = [`--data=${temporaryDirectory(t)}`, `--enroll=http://127.0.0.1:${port}`, `--token=${token}`];

  for (let start = 1; start <= 2; start += 1) {
    const agent = startChild(t, MAIN, args);
    await until(() => asked === start, { what: `enrollment ${start}` });
    agent.child.kill('SIGTERM');

    const { code, stderr } = await agent.ended;
    assert.equal(code, 0, stderr);
  }
});

test('S-M-3, S-M-8: after a SIGKILL the broker says connection_lost, and the next process reports what was interrupted, once', async (t) => {
  const { controller, directory, hooksDir, start } = await setUp(t);
  const started = join(hooksDir, 'started');
  const script = `#!/bin/sh\necho x >> ${started}\nexec sleep 60\n`;
  writeHook(hooksDir, 'wait', script);
  const first = start();
  await welcomed(first);
  const request = controller.request({ action: 'wait', checksum: sha256Hex(script), timeout: '1m' });
  await until(
    async () => {
      await controller.send('node_request', request);
      return controller.heard('ack').some(({ status }) => status === 'accepted');
    },
    { what: 'the hook is known and accepted' },
  );
  await until(() => existsSync(started), { what: 'the hook runs' });
  await until(() => bytesBelow(directory).includes('"launched"'), { what: 'the journal says that it was launched' });

  first.child.kill('SIGKILL');
  const lost = await controller.hear('status', ({ state }) => state === 'offline');
  assert.equal(lost.reason, 'connection_lost');
  await first.ended;
  await welcomed(start());

  const result = await controller.hear('result');
  assert.deepEqual([result.status, result.error_code, result.launched], ['error', 'interrupted', 'yes']);
  await controller.send('node_request', request);
  await until(() => controller.heard('result').length >= 2, { what: 'the same result again' });
  const [one, two] = controller.said.filter(({ kind }) => kind === 'result');
  assert.ok(one && two && one.octets.equals(two.octets));
  assert.equal(readFileSync(started, 'utf8'), 'x\n');
});

test('under systemd it tells when it is ready and how it is; while it is frozen it gives no sign of life', async (t) => {
  const lacks = lacksSystemd();
  if (lacks !== undefined) return t.skip(lacks);
  const systemd = await listenLikeSystemd(t);
  const { start } = await setUp(t);
  const agent = start({ NOTIFY_SOCKET: systemd.socket, WATCHDOG_USEC: '400000' });
  await welcomed(agent);
  await until(() => systemd.count('WATCHDOG=1') >= 2, { what: 'signs of life' });
  assert.equal(systemd.count('READY=1'), 1);
  await until(() => systemd.count('STATUS=Connected to the broker; 0 running, 0 to report') === 1, {
    what: 'a status',
  });

  agent.child.kill('SIGSTOP');
  await systemd.silence(1000);
  const frozen = systemd.count('WATCHDOG=1');
  agent.child.kill('SIGCONT');
  await until(() => systemd.count('WATCHDOG=1') > frozen, { what: 'a sign of life after the thaw' });

  agent.child.kill('SIGTERM');
  assert.equal((await agent.ended).code, 0);
  await until(() => systemd.count('STOPPING=1') === 1, { what: 'the announced end' });
});

async function welcomed(agent: TestChild): Promise<void> {
  for (;;) {
    const message = await agent.message();
    if (typeof message === 'object' && message !== null && 'welcomed' in message) return;
  }
}

function bytesBelow(directory: string): string {
  const files = readdirSync(directory, { recursive: true }).map((name) => join(directory, String(name)));
  return files.map((file) => (statSync(file).isFile() ? readFileSync(file, 'latin1') : '')).join('');
}

async function setUp(t: TestScope) {
  const broker = await startTestBroker(t);
  const directory = temporaryDirectory(t);
  const hooksDir = temporaryDirectory(t);
  const controller = await scriptController(t, broker, () => keyOfAgent(directory));
  enrollByHand(broker, directory);
  const flags = ['--drain-timeout=1ms', '--metrics-port=-1', '--log-level=silent'];
  const args = [`--data-dir=${directory}`, `--hooks-dir=${hooksDir}`, ...flags];
  const start = (env: Readonly<Record<string, string>> = {}, wrap: readonly string[] = []) =>
    startChildWith(t, { file: MAIN, args, env, wrap });
  return { broker, controller, directory, hooksDir, start };
}
