import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { issueBrokerPassword } from '../../controller/identity/broker-credentials.js';
import { createLogger } from '../../runtime/logger.js';
import { startMqttSession } from '../../runtime/mqtt-session.js';
import { spawnMuster, startTestController, type TestController } from '../support/muster.js';
import { until } from '../support/until.js';

const PRIME = { name: 'prime', description: 'changes something', parameters: [] };

test('muster events shows what happens, and --after begins where another look ended', async (t) => {
  const controller = await startTestController(t);
  const live = start(t, controller, ['events', '--types', 'node,login', '--json']);
  await untilOpen(controller, live);
  const { id } = JSON.parse(live.stdout().trim().split('\n')[0] ?? '');
  await controller.startAgent('pump-1');
  await until(() => live.stdout().includes('"node":"pump-1","change":"online"'), { what: 'the node' });

  const later = start(t, controller, ['events', '--after', String(id), '--node', 'pump-1']);
  await until(() => /^\d+ \S+Z node node=pump-1 change=online$/m.test(later.stdout()), {
    what: 'the replay',
    deadlineMs: 30_000,
  });

  assert.match(later.stdout(), /^\d+ \S+Z node node=pump-1 change=enrolled\n/);
  assert.deepEqual([await live.interrupt(), await later.interrupt()], [130, 130]);
});

test('muster events refuses what cannot be asked for, and ends with 77 when its token does', async (t) => {
  const controller = await startTestController(t);
  for (const wrong of [
    ['--types', 'secrets'],
    ['--after', 'x'],
    ['--node', 'a/b'],
    ['--invocation', 'x'],
  ]) {
    const { exitCode, stderr } = await controller.muster('events', ...wrong);
    assert.equal(exitCode, 2, stderr);
  }
  await controller.muster('user', 'create', 'ann', '--role', 'viewer');
  const token = (await controller.muster('token', 'create', '--name', 'test', '--user', 'ann')).stdout.trim();
  const watching = start(t, controller, ['events', '--json'], { MUSTER_TOKEN: token });
  await untilOpen(controller, watching);

  await controller.muster('user', 'delete', 'ann');

  assert.equal(await watching.ended, 77);
});

test('muster pending --watch tells when something waits, and when it waits no more', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('pump-1', { runs: true, actions: [PRIME] });
  await controller.muster('user', 'create', 'ann', '--role', 'operator');
  const token = (await controller.muster('token', 'create', '--name', 'test', '--user', 'ann')).stdout.trim();
  const ask = async (reason: string): Promise<string> => {
    const args = ['run', 'prime', '--node', 'pump-1', '--reason', reason, '--detach', '--token', token];
    return (await controller.muster(...args)).stdout.trim();
  };
  const first = await ask('noise');

  const watching = start(t, controller, ['pending', '--watch']);
  await until(() => watching.stdout().includes(first), { what: 'what waited before', deadlineMs: 30_000 });
  const second = await ask('a\u001b[31m ticket');
  await until(() => watching.stdout().includes(`${second} waits`), { what: 'what waits now' });
  await controller.muster('approve', second);
  await controller.muster('deny', first, '--reason', 'not on a Friday');
  await until(() => watching.stdout().includes(`${first} was denied by owner\n`), { what: 'what was said' });

  const [, ...lines] = watching.stdout().split('\n').slice(1);
  assert.match(
    lines[0] ?? '',
    /^\S{36} waits until \S+Z: ann asks for prime on nodes pump-1, write \(a\\x1b\[31m ticket\)$/,
  );
  assert.deepEqual(lines.slice(1), [`${second} was approved by owner`, `${first} was denied by owner`, '']);
  assert.equal(await watching.interrupt(), 130);
});

test('muster watch shows what passes on the topics, decoded and harmless', async (t) => {
  const controller = await startTestController(t);
  const agent = await controller.startAgent('pump-1', { runs: true });
  const watching = start(t, controller, ['watch', '--json']);
  await until(() => watching.stderr().startsWith('Watching muster/v1/default/# at mqtt://'), {
    what: 'the watch',
    deadlineMs: 30_000,
  });

  await agent.hello();
  await shout(
    t,
    controller,
    `{"state":"\u001b[2J","password":"hush","deep":${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
  );
  await shout(t, controller, '{"state":"\u009b2J","password":"hush"}');
  await until(() => watching.stdout().includes('"kind":"status","from":"agent","bytes":34'), {
    what: 'the last message',
  });

  const messages = watching
    .stdout()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const hello = messages.find(({ kind }) => kind === 'hello');
  assert.deepEqual(
    [hello.node, hello.from, hello.typ, hello.payload.node],
    ['pump-1', 'agent', 'muster-hello', 'pump-1'],
  );
  assert.equal(messages.find(({ kind }) => kind === 'control').payload.kind, 'welcome');
  assert.ok(messages.some(({ unreadable }) => unreadable === 'malformed'));
  assert.doesNotMatch(watching.stdout(), /hush|[\u001b\u009b]/);
  assert.equal(await watching.interrupt(), 130);
});

test('muster watch is for admins, and names what cannot be watched', async (t) => {
  const controller = await startTestController(t);
  await controller.muster('user', 'create', 'ann', '--role', 'operator');
  const token = (await controller.muster('token', 'create', '--name', 'test', '--user', 'ann')).stdout.trim();

  assert.equal((await controller.muster('watch', '--token', token)).exitCode, 77);
  assert.equal((await controller.muster('watch', '--kind', 'secrets')).exitCode, 2);
  assert.equal((await controller.muster('watch', '--broker', 'http://x')).exitCode, 2);
  assert.equal((await controller.muster('watch', '--ca', '/no/such/file')).exitCode, 78);
});

/** Makes one event after the other, until one is shown: then the stream is open. */
async function untilOpen({ core }: TestController, { stdout }: Running): Promise<void> {
  const event = { type: 'node', node: 'probe', change: 'online' } as const;
  const isShown = async (): Promise<boolean> => {
    await core.store.write(async (tx) => tx.tell({ org: 'default', event }));
    return stdout().includes('probe');
  };
  await until(isShown, { what: 'the open stream', deadlineMs: 30_000 });
}

type Running = Readonly<{
  stdout: () => string;
  stderr: () => string;
  ended: Promise<number | null>;
  /** Ctrl-C; gives the exit code. */
  interrupt: () => Promise<number | null>;
}>;

function start(t: TestContext, { dataDir }: TestController, args: readonly string[], env = {}): Running {
  const child = spawnMuster(t, args, { MUSTER_DATA: dataDir, ...env });
  const stdout = textOf(child, 'stdout');
  const stderr = textOf(child, 'stderr');
  const ended = once(child, 'close').then(([code]) => code);
  return {
    ...{ stdout, stderr, ended },
    interrupt() {
      child.kill('SIGINT');
      return ended;
    },
  };
}

function textOf(child: ChildProcess, name: 'stdout' | 'stderr'): () => string {
  let text = '';
  child[name]?.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  return () => text;
}

/** A node that says what it likes. */
async function shout(t: TestContext, controller: TestController, body: string): Promise<void> {
  const { username, password } = await credentialOf(controller);
  const session = startMqttSession({
    ...{ url: controller.core.brokerUrl, clientId: username, scope: { prefix: 'muster/v1', org: 'default' } },
    ...{ keepAliveSeconds: 30, credentials: () => ({ username, password }), filters: () => [] },
    ...{ onConnect: () => undefined, onMessage: () => undefined, log: createLogger('test', { level: 'silent' }) },
  });
  t.after(session.stop);
  await until(() => session.connected, { what: 'the connection' });
  await session.publish('status', { node: username }, body);
  await session.stop();
}

async function credentialOf({ core }: TestController): Promise<{ username: string; password: string }> {
  const username = 'loud';
  const { password } = issueBrokerPassword(
    core.keyring,
    { role: 'node', id: username, org: 'default', groups: [] },
    Date.now(),
  );
  return { username, password };
}
