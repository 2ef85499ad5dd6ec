import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findProcesses } from '../faults/rig/proc.js';
import { startTestBroker, type TestScope } from '../support/broker.js';
import { findCommand, runCommand } from '../support/commands.js';
import { enrollByHand, keyOfAgent, scriptController, startControlledAgent } from '../support/controlled-agent.js';
import { HARMLESS_ENV } from '../support/harmless.js';
import { writeHook } from '../support/hooks.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

/** As it is shipped: built before the tests. */
const BUNDLE = fileURLToPath(new URL('../../dist/agent/muster-agent.cjs', import.meta.url));

const START_MS = 30_000;

test('F-63, S-F-15: a supervised agent ends with 0 for a restart, and the process after it says how long it was away', async (t) => {
  const { controller, ask, start } = await setUp(t);
  const first = start();
  const executionId = await ask('restart');

  assert.equal(await first.ended, 0);
  assert.deepEqual([first.said('restarting'), controller.heard('result')], [true, []]);
  start();

  const result = await controller.hear('result');
  assert.deepEqual([result.execution_id, result.status], [executionId, 'success']);
  const { message, away_ms } = JSON.parse(String(result.stdout));
  assert.equal(message, 'Agent restarted');
  assert.ok(away_ms > 0, `${away_ms} ms`);
});

test('after three restarts that were asked for within ten minutes only reading actions are taken (promise 24)', async (t) => {
  const { broker, controller, directory } = await setUp(t);
  const ask = async (action: string): Promise<unknown> => {
    const request = controller.request({ action });
    await controller.send('node_request', request);
    return (await controller.hear('ack', ({ execution_id }) => execution_id === request.execution_id)).reason;
  };
  for (let restarts = 0; restarts < 3; restarts += 1) {
    const agent = await startControlledAgent(t, broker, directory);
    await agent.whenWelcomed;
    assert.equal(await ask('restart'), '', `after ${restarts} restarts`);
    await agent.whenLeaving;
    await agent.stop(AbortSignal.abort());
  }

  await (await startControlledAgent(t, broker, directory)).whenWelcomed;

  assert.deepEqual([await ask('restart'), await ask('gather_info')], ['max_concurrent_reached', '']);
});

test('F-63: an agent that nobody supervises runs its own program again, each time that it is asked, and ends as that does', async (t) => {
  const { controller, directory, ask, start } = await setUp(t);
  const agent = start({ isSupervised: false });
  const processes = new Set<unknown>();

  for (let restarts = 1; restarts <= 2; restarts += 1) {
    const executionId = await ask('restart');
    processes.add(controller.processId());
    const result = await controller.hear('result', ({ execution_id }) => execution_id === executionId);
    assert.equal(result.status, 'success');
    processes.add(result.process_id);
  }

  assert.equal(processes.size, 3);
  assert.equal(agent.child.exitCode, null, 'what was started is still there');
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0);
  await until(() => findProcesses(directory).length === 0, { what: 'no process is left' });
});

test('an agent that was started again does not outlive the process that did', async (t) => {
  const { controller, directory, ask, start } = await setUp(t);
  const agent = start({ isSupervised: false });
  await ask('restart');
  await controller.hear('result');

  agent.child.kill('SIGKILL');

  await until(() => findProcesses(directory).length === 0, { what: 'no process is left', deadlineMs: START_MS });
});

test('a reboot is reported by the process in the next boot, and not by one in the same (promise 24)', async (t) => {
  const lacks = await whatMountsLack();
  if (lacks !== undefined) return t.skip(lacks);
  const { controller, directory, ask, start } = await setUp(t);
  const { file: program } = writeHook(temporaryDirectory(t), 'reboot-it', '#!/bin/sh\necho "$@" >> "$0.asked"\n');
  const inBoot = (bootId: string): Agent => {
    const file = join(directory, 'boot');
    writeFileSync(file, `${bootId}\n`);
    return start({ wrap: IN_BOOT, env: { BOOT: file, MUSTER_AGENT_REBOOT_COMMAND: program } });
  };
  const [one, two] = [randomUUID(), randomUUID()];
  const first = inBoot(one);
  const executionId = await ask('reboot');
  await until(() => existsSync(`${program}.asked`), { what: 'the order to reboot' });
  first.child.kill('SIGTERM');
  assert.equal(await first.ended, 0);

  const again = inBoot(one);
  await controller.hear('hello', ({ running }) => Array.isArray(running) && running.includes(executionId));
  again.child.kill('SIGTERM');
  assert.equal(await again.ended, 0);
  assert.deepEqual(controller.heard('result'), []);
  inBoot(two);

  const { status, stdout, boot_id } = await controller.hear('result');
  assert.deepEqual([status, boot_id], ['success', two]);
  assert.equal(JSON.parse(String(stdout)).message, 'Reboot scheduled (1 minute)');
  assert.equal(readFileSync(`${program}.asked`, 'utf8'), 'schedule 60\n');
});

/** Becomes a program that sees the file `$BOOT` as the id of the boot. */
const IN_BOOT = [
  ...['unshare', '--mount', '--propagation', 'private'],
  ...['sh', '-c', 'mount --bind "$BOOT" /proc/sys/kernel/random/boot_id && exec "$@"', 'sh'],
];

async function whatMountsLack(): Promise<string | undefined> {
  if (process.platform !== 'linux' || findCommand('unshare') === undefined) return 'needs unshare';
  const { exitCode } = await runCommand('unshare', ['--mount', 'true']);
  return exitCode === 0 ? undefined : 'needs the right to make mount namespaces';
}

/** An agent's process. */
type Agent = Readonly<{
  child: ChildProcess;
  ended: Promise<number | null>;
  /** Whether it has said this to whoever started it. */
  said: (what: string) => boolean;
}>;

type Start = Readonly<{ isSupervised?: boolean; wrap?: readonly string[]; env?: Readonly<Record<string, string>> }>;

/** An agent that is enrolled with a controller that a test speaks for, in a directory of its own. */
async function setUp(t: TestScope) {
  const broker = await startTestBroker(t);
  const directory = temporaryDirectory(t);
  const controller = await scriptController(t, broker, () => keyOfAgent(directory));
  enrollByHand(broker, directory);
  const args = [`--data-dir=${directory}`, '--drain-timeout=1ms', '--metrics-port=-1', '--log-level=silent'];
  const start = ({ isSupervised = true, wrap = [], env = {} }: Start = {}): Agent => {
    const [file = '', ...rest] = [...wrap, process.execPath, BUNDLE, ...args];
    const child = spawn(file, rest, {
      stdio: ['ignore', 'ignore', 'inherit', ...(isSupervised ? (['ipc'] as const) : [])],
      env: { PATH: process.env.PATH, ...HARMLESS_ENV, ...env },
    });
    const heard: string[] = [];
    child.on('message', (message) => void heard.push(JSON.stringify(message)));
    t.after(() => child.kill('SIGKILL'));
    const ended = new Promise<number | null>((end) => child.once('exit', end));
    return { child, ended, said: (what) => heard.some((message) => message.includes(`"${what}"`)) };
  };
  /** Asks until somebody takes it, since a process may be on its way; gives the id. */
  const ask = async (action: string): Promise<string> => {
    // A request from before the first welcome would be one from before the journal.
    await until(() => controller.processId() !== '', { what: 'the first hello', deadlineMs: START_MS });
    const request = controller.request({ action });
    const { execution_id: id } = request;
    await until(
      async () => {
        await controller.send('node_request', request);
        return controller.heard('ack').some(({ execution_id, status }) => execution_id === id && status === 'accepted');
      },
      { what: `the ack of ${action}`, deadlineMs: START_MS },
    );
    return id;
  };
  return { broker, controller, directory, ask, start };
}
