import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pidNamespace } from '../../../agent/actions/cgroup.js';
import { createLeftovers, type Leftovers } from '../../../agent/actions/leftovers.js';
import { createProcessGroupIsolation, readProcess } from '../../../agent/actions/process-group.js';
import { type Program, runProgram } from '../../../agent/actions/processes.js';
import { createLogger } from '../../../runtime/logger.js';
import { assertNoCanary, createCanary, findCanaries, findIsolations } from '../../support/isolations.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const BOOT = 'b0000000-0000-4000-8000-000000000000';
const PATH = '/usr/local/bin:/usr/bin:/bin';
const log = createLogger('agent', { level: 'silent' });

for (const [limit, isolation] of await findIsolations()) {
  test(`${limit}: what runs when an agent and its keeper are killed is ended by the next agent`, async (t) => {
    const directory = temporaryDirectory(t);
    const canary = createCanary();
    // Neither is told: this process goes on, and its keeper is dismissed only when the program has ended.
    const running = runProgram(sleeping(directory, canary), {
      ...{ log, isolation: leftoversOf(directory).remember(isolation) },
      ...{ signal: new AbortController().signal, output: { write: () => undefined } },
    });
    await until(() => findCanaries(canary).length > 0, { what: 'a sleeper' });
    await until(() => recordOf(directory).length === 2, { what: 'the record of its pid' });

    await leftoversOf(directory).end();

    await assertNoCanary(canary);
    assert.deepEqual(await running, { kind: 'signaled', signal: 'SIGKILL' });
    assert.deepEqual(readdirSync(join(directory, 'running')), []);
  });

  test(`${limit}: what has ended is not remembered`, async (t) => {
    const directory = temporaryDirectory(t);
    const program = { ...sleeping(directory, '0'), args: ['-c', 'exit 3'] };

    const end = await runProgram(program, {
      ...{ log, isolation: leftoversOf(directory).remember(isolation) },
      ...{ signal: new AbortController().signal, output: { write: () => undefined } },
    });

    assert.deepEqual(end, { kind: 'exited', exitCode: 3 });
    assert.deepEqual(readdirSync(join(directory, 'running')), []);
  });
}

test('a process that was recorded by its pid, start time and boot is ended', async (t) => {
  const { pid, startTime, directory } = startSleeper(t);
  writeRecord(directory, { pid, start_time: startTime });

  await leftoversOf(directory).end();

  await until(() => readProcess(pid) === undefined, { what: 'its end' });
});

for (const [what, change] of [
  ['a pid that is another process by now', { start_time: '1' }],
  ['a pid of another boot', { boot_id: 'c0000000-0000-4000-8000-000000000000' }],
  ['a pid of another namespace', { pid_namespace: '1' }],
  ['a record that a kill cut off', { pid: 'x' }],
] as const) {
  test(`${what} is left alone, and forgotten`, async (t) => {
    const { pid, startTime, directory } = startSleeper(t);
    writeRecord(directory, { pid, start_time: startTime, ...change });

    await leftoversOf(directory).end();

    assert.equal(readProcess(pid)?.startTime, startTime);
    assert.deepEqual(readdirSync(join(directory, 'running')), []);
  });
}

test('a process that was forked before its pid could be recorded is found by its marker', async (t) => {
  const canary = createCanary();
  const { pid, directory } = startSleeper(t, { env: { PATH, NODE: 'pump', ID: canary } });
  writeRecord(directory, { marker: ['NODE=pump', `ID=${canary}`] });

  await leftoversOf(directory).end();

  await until(() => readProcess(pid) === undefined, { what: 'its end' });
});

test('two nodes of one machine that run the same broadcast do not end each other’s processes', async (t) => {
  const id = createCanary();
  const { pid, startTime, directory } = startSleeper(t, { env: { PATH, NODE: 'pump-2', ID: id } });
  writeRecord(directory, { marker: ['NODE=pump-1', `ID=${id}`] });
  const groups = createProcessGroupIsolation();

  await leftoversOf(directory).end();
  const enclosure = await groups.enclose(['NODE=pump-1', `ID=${id}`]);
  await enclosure.kill();

  assert.equal(readProcess(pid)?.startTime, startTime);
});

test('a program whose record cannot be written is not started', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'running'), 'a file where a directory has to be');

  const end = await runProgram(
    { ...sleeping(directory, '0'), args: ['-c', ': > ran'] },
    {
      ...{ log, isolation: leftoversOf(directory).remember(createProcessGroupIsolation()) },
      ...{ signal: new AbortController().signal, output: { write: () => undefined } },
    },
  );

  assert.deepEqual(end, { kind: 'not_started', errno: 'EEXIST' });
  assert.equal(existsSync(join(directory, 'ran')), false);
});

function leftoversOf(directory: string): Leftovers {
  return createLeftovers({ directory: join(directory, 'running'), bootId: BOOT, log });
}

function sleeping(cwd: string, canary: string): Program {
  const script = `(setsid sleep ${canary} &); sleep ${canary}`;
  return { file: '/bin/sh', args: ['-c', script], cwd, env: { PATH, MARK: cwd }, graceMs: 0, marker: [`MARK=${cwd}`] };
}

function recordOf(directory: string): string[] {
  const [name = ''] = readdirSync(join(directory, 'running'));
  return readFileSync(join(directory, 'running', name), 'utf8')
    .split('\n')
    .filter(Boolean);
}

/** A process in a group of its own, whose end the test brings if nothing else does. */
function startSleeper(
  t: TestContext,
  { env = { PATH } }: { env?: Record<string, string> } = {},
): { pid: number; startTime: string; directory: string } {
  const sleeper = spawn('sleep', ['9999'], { detached: true, stdio: 'ignore', env });
  t.after(() => sleeper.kill('SIGKILL'));
  const { pid = 0 } = sleeper;
  return { pid, startTime: readProcess(pid)?.startTime ?? '', directory: temporaryDirectory(t) };
}

/** What an earlier agent has written; `change` goes to the line that it belongs to. */
function writeRecord(
  directory: string,
  { pid, start_time, ...change }: Readonly<Record<string, unknown>> & { pid?: unknown; start_time?: string },
): void {
  const place = { boot_id: BOOT, pid_namespace: pidNamespace(), ...change };
  const lines = pid === undefined ? [place] : [place, { pid, start_time }];
  const running = join(directory, 'running');
  mkdirSync(running);
  writeFileSync(join(running, '1'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}
