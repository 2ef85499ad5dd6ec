import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { Reboot } from '../../agent/actions/builtins/reboot.js';
import { Restart } from '../../agent/actions/builtins/restart.js';
import type { Client } from '../../cli/client.js';
import {
  EnrollmentTokenCreated,
  type ExecutionView,
  InvocationAnswer,
  NodeView,
} from '../../controller/http/schemas.js';
import { startInstallation } from '../support/installation.js';
import { type Machine, startMachine } from '../support/systemd-machine/machine.js';
import { until } from '../support/until.js';

const NODE = 'machine';
const BACK_MS = 120_000;

/** The node of the tests: a machine with the agent as it is shipped, and the controller that asks it. */
type Rig = Readonly<{ machine: Machine; client: Client }>;

const closers: (() => unknown)[] = [];
let rig: Promise<Rig | string> | undefined;
after(async () => {
  for (const close of closers.reverse()) await close();
});

/** Each test may be the only one that runs: the first starts the machine, and none leaves it other than it found it. */
function onMachine(title: string, check: (rig: Rig) => Promise<void>): void {
  test(title, async (t) => {
    rig ??= startRig();
    const started = await rig;
    if (typeof started === 'string') return t.skip(started);
    await forgetStarts(started);
    await check(started);
  });
}

onMachine('Type=notify: systemd counts the agent as started once it says so, as a user without rights', async (on) => {
  const { machine, client } = on;
  await machine.read('systemctl', 'restart', 'muster-agent');

  const shown = await machine.read('systemctl', 'show', 'muster-agent', '-p', 'Type,ActiveState,SubState,User,Result');
  const wanted = ['Type=notify', 'ActiveState=active', 'SubState=running', 'User=muster-agent', 'Result=success'];
  assert.deepEqual(shown.trim().split('\n').sort(), wanted.sort());
  await until(async () => (await nodeOf(client)).state === 'online', { what: 'the node is online' });
  const { status } = await run(client, { action: 'gather_info' });
  assert.equal(status, 'success');
});

onMachine('WatchdogSec: an agent that is frozen is ended and started again', async (on) => {
  const { machine, client } = on;
  const before = await nodeOf(client);
  const restarts = await restartsOf(machine);

  await machine.read('systemctl', 'kill', '--kill-whom=main', '--signal=STOP', 'muster-agent');

  await untilOther(client, before.process_id);
  assert.equal(await restartsOf(machine), restarts + 1);
  assert.match(await machine.read('journalctl', '--no-pager', '-u', 'muster-agent'), /Watchdog timeout/);
  assert.equal((await run(client, { action: 'gather_info' })).status, 'success');
});

onMachine('restart: systemd starts the agent again, and that process reports it done', async (on) => {
  const { machine, client } = on;
  const before = await nodeOf(client);
  const restarts = await restartsOf(machine);

  const { status, stdout } = await run(client, { action: 'restart' });

  const { message, away_ms } = Restart.parse(JSON.parse(stdout ?? ''));
  assert.deepEqual([status, message], ['success', 'Agent restarted']);
  assert.ok(away_ms > 0, `${away_ms} ms`);
  assert.equal(await restartsOf(machine), restarts + 1);
  const node = await nodeOf(client);
  assert.notEqual(node.process_id, before.process_id);
  assert.equal(node.boot_id, before.boot_id);
});

onMachine(
  'reboot: refused while another action runs, and while one is scheduled, and cancelled by logind',
  async (on) => {
    const { machine, client } = on;
    const hook = await ask(client, { action: 'wait' });
    await untilRunning(client, hook);
    const refused = await run(client, { action: 'reboot' });
    assert.deepEqual([refused.status, await isScheduled(machine)], ['failed', false]);
    assert.match(refused.stderr ?? '', /^The node was not rebooted, since another action runs/);
    await cancel(client, hook);
    await endOf(client, hook);

    const first = await ask(client, { action: 'reboot' });
    await until(() => isScheduled(machine), { what: 'logind has the order' });
    const second = await run(client, { action: 'reboot', parameters: { force: true } });
    assert.equal(second.status, 'failed');
    assert.match(second.stderr ?? '', /^A reboot is scheduled already/);
    await cancel(client, first);

    assert.equal((await endOf(client, first)).status, 'cancelled');
    assert.equal(await isScheduled(machine), false);
  },
);

onMachine('reboot: the machine boots again, and the agent of that boot reports it, once (promise 24)', async (on) => {
  const { machine, client } = on;
  const [before, reboots] = [await nodeOf(client), await machine.reboots()];

  const id = await ask(client, { action: 'reboot' });
  await until(async () => (await machine.reboots()) > reboots, { what: 'it boots again', deadlineMs: BACK_MS });
  const { status, stdout, stderr } = await endOf(client, id);

  const { message, away_ms } = Reboot.parse(JSON.parse(stdout ?? ''));
  assert.deepEqual([status, message, stderr], ['success', 'Reboot scheduled (1 minute)', `${message}\n`]);
  assert.ok(away_ms > 0, `${away_ms} ms`);
  await machine.whenBooted();
  const node = await untilOther(client, before.process_id);
  assert.notEqual(node.boot_id, before.boot_id);
  await machine.read('systemctl', 'restart', 'muster-agent');
  await untilOther(client, node.process_id);
  assert.equal((await run(client, { action: 'gather_info' })).status, 'success');
  assert.deepEqual([await machine.reboots(), await isScheduled(machine)], [reboots + 1, false]);
});

onMachine('after three restarts within ten minutes the agent only reads (promise 24)', async (on) => {
  const { machine, client } = on;
  for (let restarts = 0; restarts < 3; restarts += 1) {
    assert.equal((await run(client, { action: 'restart' })).status, 'success', `after ${restarts} restarts`);
  }
  const restarts = await restartsOf(machine);

  const fourth = await run(client, { action: 'restart', expires_in: '5s' });

  assert.notEqual(fourth.status, 'success');
  assert.equal(await restartsOf(machine), restarts);
  assert.equal((await run(client, { action: 'gather_info' })).status, 'success');
});

/** Follows docs/operate.md: files, users, settings and a token, in this order. */
async function startRig(): Promise<Rig | string> {
  const scope = { after: (close: () => unknown) => void closers.push(close) };
  let brokerPort = 0;
  const { url, client } = await startInstallation(scope, {
    agents: 0,
    agent: async (port) => {
      brokerPort = port;
      return {};
    },
  });
  const machine = await startMachine([Number(new URL(url).port), brokerPort]);
  if (typeof machine === 'string') return machine;
  closers.push(machine.stop);
  const { token } = await client.call(EnrollmentTokenCreated, { method: 'POST', path: '/enrollment-tokens', body: {} });
  await machine.write({
    '/usr/lib/muster/muster-agent.cjs': shipped('dist/agent/muster-agent.cjs'),
    '/usr/lib/sysusers.d/muster.conf': shipped('deploy/systemd/sysusers.conf'),
    '/usr/lib/tmpfiles.d/muster.conf': shipped('deploy/systemd/tmpfiles.conf'),
    '/etc/systemd/system/muster-agent.service': shipped('deploy/systemd/muster-agent.service'),
    '/etc/polkit-1/rules.d/51-muster-agent-reboot.rules': shipped('deploy/systemd/51-muster-agent-reboot.rules'),
    '/etc/muster/muster.yaml': shipped('deploy/systemd/muster.yaml'),
    ...TEST_UNITS,
  });
  await machine.write({ '/etc/muster/hooks/wait': '#!/bin/sh\nsleep 60\n' }, 0o755);
  await machine.write({
    '/etc/muster/agent.env': `MUSTER_AGENT_ENROLL_URL=${url}\nMUSTER_AGENT_ENROLL_TOKEN=${token}\n`,
  });
  await machine.read('systemd-sysusers');
  await machine.read('systemd-tmpfiles', '--create', '/usr/lib/tmpfiles.d/muster.conf');
  await machine.read('systemctl', 'daemon-reload');
  await machine.read('systemctl', 'enable', '--now', 'muster-agent');
  await machine.read('rm', '/etc/muster/agent.env');
  await until(async () => (await nodeOf(client)).state === 'online', { what: 'the node is online' });
  return { machine, client };
}

/**
 * Each boot of a machine has an id of its own. The kernel gives one, and boots of a container share it; systemd-nspawn
 * puts another in its place at each boot, as is done here. The watchdog waits for seconds in place of minutes.
 */
const TEST_UNITS = {
  '/etc/systemd/system/boot-id.service': `[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=sh -c 'cat /proc/sys/kernel/random/uuid > /run/boot-id'
`,
  '/etc/systemd/system/muster-agent.service.d/test.conf': `[Unit]
Requires=boot-id.service
After=boot-id.service
[Service]
WatchdogSec=6s
BindReadOnlyPaths=/run/boot-id:/proc/sys/kernel/random/boot_id
`,
};

function shipped(path: string): string {
  return readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');
}

/** So that what other tests have restarted does not count. */
async function forgetStarts({ machine, client }: Rig): Promise<void> {
  const { process_id: before } = await nodeOf(client);
  await machine.read('systemctl', 'stop', 'muster-agent');
  await machine.read('rm', '-f', '/var/lib/muster-agent/starts.json');
  await machine.read('systemctl', 'start', 'muster-agent');
  await untilOther(client, before);
}

/** How often systemd has started the agent again by itself. */
async function restartsOf(machine: Machine): Promise<number> {
  return Number(await machine.read('systemctl', 'show', 'muster-agent', '-p', 'NRestarts', '--value'));
}

async function isScheduled(machine: Machine): Promise<boolean> {
  const { exitCode, stdout } = await machine.exec('cat', '/run/systemd/shutdown/scheduled');
  return exitCode === 0 && stdout.includes('MODE=reboot\n');
}

function nodeOf(client: Client): Promise<NodeView> {
  return client.call(NodeView, { path: `/nodes/${NODE}` });
}

function untilOther(client: Client, processId: string | null): Promise<NodeView> {
  return until(
    async () => {
      const node = await nodeOf(client);
      return node.state === 'online' && node.process_id !== processId ? node : undefined;
    },
    { what: 'another process of the agent', deadlineMs: BACK_MS },
  );
}

async function ask(client: Client, body: Readonly<Record<string, unknown>>): Promise<string> {
  const asked = { target: { nodes: [NODE] }, confirm: true, ...body };
  const { invocation } = await client.call(InvocationAnswer, { method: 'POST', path: '/invocations', body: asked });
  return invocation.id;
}

async function untilRunning(client: Client, id: string): Promise<void> {
  const isRunning = async (): Promise<boolean> => (await executionOf(client, id))?.status === 'accepted';
  await until(isRunning, { what: `${id} runs` });
}

function cancel(client: Client, id: string): Promise<unknown> {
  return client.call(z.unknown(), { method: 'POST', path: `/invocations/${id}/cancel`, body: {} });
}

async function run(client: Client, body: Readonly<Record<string, unknown>>): Promise<ExecutionView> {
  return endOf(client, await ask(client, body));
}

function endOf(client: Client, id: string): Promise<ExecutionView> {
  return until(
    async () => {
      const execution = await executionOf(client, id);
      return execution?.finished_at === null ? undefined : execution;
    },
    { what: `the end of ${id}`, deadlineMs: BACK_MS },
  );
}

async function executionOf(client: Client, id: string): Promise<ExecutionView | undefined> {
  const { executions } = await client.call(InvocationAnswer, { path: `/invocations/${id}` });
  return executions?.[0];
}
