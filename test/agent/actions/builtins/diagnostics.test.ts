import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { Diagnostics, diagnostics } from '../../../../agent/actions/builtins/diagnostics.js';
import { createDiskReader } from '../../../../agent/actions/system/disks.js';
import { SYSTEM_CLOCK } from '../../../../runtime/clock.js';
import { EXITED_0, runBuiltin } from '../../../support/builtins.js';
import { EXECUTION_ID } from '../../../support/hooks.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';

test('diagnostics prints what the kernel tells of this machine', async () => {
  const { end, stdout } = await runBuiltin('diagnostics');

  const told = Diagnostics.parse(JSON.parse(stdout));
  assert.deepEqual(end, EXITED_0);
  assert.equal(told.kernel, release());
  assert.equal(told.memory?.total_bytes, totalmem());
  assert.ok((told.load?.cpus ?? 0) >= 1);
  assert.ok((told.uptime_seconds ?? 0) > 0);
  assert.ok(told.disks.some(({ size_bytes }) => (size_bytes ?? 0) > 0));
  assert.equal(told.agent.pid, process.pid);
  const [, name] = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8')) ?? [];
  assert.equal(told.os, name ?? null);
});

test('a process that does nothing but count is among those that use most of the processor', async (t) => {
  const busy = spawn(process.execPath, ['-e', 'process.stdout.write("ready"); for (;;);']);
  t.after(() => busy.kill('SIGKILL'));
  await new Promise((resolve) => busy.stdout.once('data', resolve));

  const { stdout } = await runBuiltin('diagnostics', { top: 50 });

  const { processes } = Diagnostics.parse(JSON.parse(stdout));
  const found = processes?.by_cpu.find(({ pid }) => pid === busy.pid);
  assert.equal(found?.name, 'node');
  assert.ok((found?.cpu_percent ?? 0) > 0);
  assert.ok((found?.rss_bytes ?? 0) > 1024 * 1024);
  const memory = processes?.by_memory.map(({ rss_bytes }) => rss_bytes ?? 0) ?? [];
  assert.ok(memory.length > 0 && (memory[0] ?? 0) >= (memory.at(-1) ?? 0));
});

test('temperatures come from thermal zones and hardware monitors, and a sensor that is asleep is left out', async (t) => {
  const told = await runIn(t, {
    'sys/class/thermal/thermal_zone0/type': 'cpu-thermal\n',
    'sys/class/thermal/thermal_zone0/temp': '48312\n',
    'sys/class/thermal/thermal_zone1/type': 'modem\n',
    'sys/class/hwmon/hwmon0/name': 'nvme\n',
    'sys/class/hwmon/hwmon0/temp1_input': '-5000\n',
    'sys/class/hwmon/hwmon0/temp1_label': 'Composite\n',
  });

  assert.deepEqual(told.temperatures, [
    { sensor: 'cpu-thermal', celsius: 48.3 },
    { sensor: 'nvme Composite', celsius: -5 },
  ]);
});

test('a name with brackets and blanks is the name of its process', async (t) => {
  const fields = ['S', ...Array.from({ length: 49 }, (_, index) => String(index))];
  const told = await runIn(t, {
    'proc/7/stat': `7 (a) (b c) ${fields.join(' ')}`,
    'proc/7/status': 'Name:\tx\nVmRSS:\t     12 kB\n',
    'proc/8/stat': 'not what the kernel writes',
  });

  assert.deepEqual(told.processes, {
    count: 1,
    by_cpu: [{ pid: 7, name: 'a) (b c', cpu_percent: 0, rss_bytes: 12 * 1024 }],
    by_memory: [{ pid: 7, name: 'a) (b c', cpu_percent: 0, rss_bytes: 12 * 1024 }],
  });
});

test('a machine that tells nothing leaves nulls and empty lists', async (t) => {
  const { agent, at, ...told } = await runIn(t, {});

  assert.deepEqual(told, {
    uptime_seconds: null,
    kernel: null,
    os: null,
    load: null,
    memory: null,
    disks: [],
    temperatures: [],
    processes: null,
  });
  assert.ok(agent.rss_bytes > 0 && at !== '');
});

test('more processes than 50 are not named, and none at all need not be', async () => {
  const { end } = await runBuiltin('diagnostics', { top: 51 });
  const { stdout } = await runBuiltin('diagnostics', { top: 0 });

  assert.deepEqual(end, { kind: 'error', code: 'invalid_parameter', message: 'parameter top must be 0 to 50' });
  assert.equal(Diagnostics.parse(JSON.parse(stdout)).processes, null);
});

test('diagnostics ends when it is told to', async () => {
  const stop = new AbortController();
  const run = runBuiltin('diagnostics', {}, { signal: stop.signal });
  stop.abort();

  await assert.rejects(run, { name: 'AbortError' });
});

/** What diagnostics prints of a machine whose /proc and /sys hold just these files. */
async function runIn(
  t: Parameters<typeof temporaryDirectory>[0],
  files: Readonly<Record<string, string>>,
): Promise<Diagnostics> {
  const root = temporaryDirectory(t);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const disks = createDiskReader({ mountinfo: join(root, 'proc/self/mountinfo') });
  let stdout = '';
  await diagnostics({ disks, clock: SYSTEM_CLOCK, root }).run({
    executionId: EXECUTION_ID,
    parameters: new Map(),
    timeoutMs: 30_000,
    signal: new AbortController().signal,
    output: {
      write(_, bytes) {
        stdout += bytes.toString();
      },
    },
  });
  return Diagnostics.parse(JSON.parse(stdout));
}
