import assert from 'node:assert/strict';
import { closeSync, existsSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Isolation } from '../../../agent/actions/isolation.js';
import { createOutputCapture, type OutputCapture } from '../../../agent/actions/output-capture.js';
import { createProcessGroupIsolation } from '../../../agent/actions/process-group.js';
import { type Program, type ProgramEnd, runProgram } from '../../../agent/actions/processes.js';
import { createLogger } from '../../../runtime/logger.js';
import type { TestScope } from '../../support/broker.js';
import { findIsolations } from '../../support/isolations.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const log = createLogger('agent', { level: 'silent' });
const ENV = { PATH: '/usr/local/bin:/usr/bin:/bin' };

const isolations = await findIsolations();

for (const [limit, isolation] of isolations) {
  test(`${limit}: a program's output and exit code are its own, stdout and stderr apart`, async (t) => {
    const { end, output } = await run(t, isolation, 'printf out; printf err >&2; exit 42');

    assert.deepEqual(end, { kind: 'exited', exitCode: 42 });
    assert.deepEqual([output.inline('stdout').data, output.inline('stderr').data], ['out', 'err']);
  });

  test(`${limit}: P-102, S-P-30: sleep 999 ends with the signal`, async (t) => {
    const { end } = await run(t, isolation, 'echo ready; exec sleep 999', { abortOn: 'ready' });

    assert.deepEqual(end, { kind: 'signaled', signal: 'SIGTERM' });
  });

  test(`${limit}: a program that ignores SIGTERM is killed after the grace, and its output so far is kept`, async (t) => {
    const { end, output } = await run(t, isolation, 'trap "" TERM; echo ready; while :; do sleep 1; done', {
      abortOn: 'ready',
    });

    assert.deepEqual(end, { kind: 'signaled', signal: 'SIGKILL' });
    assert.equal(output.inline('stdout').data, 'ready\n');
  });

  test(`${limit}: a program has the grace to tidy up after SIGTERM, its children too`, async (t) => {
    const { output } = await run(
      t,
      isolation,
      'sh -c \'trap "sleep 0.1; echo child; exit" TERM; echo ready; while :; do sleep 0.01; done\' & wait',
      {
        abortOn: 'ready',
        graceMs: 20_000,
      },
    );

    assert.equal(output.inline('stdout').data, 'ready\nchild\n');
  });

  test(`${limit}: S-P-35: a program that somebody else kills is signaled`, async (t) => {
    const { end } = await run(t, isolation, 'kill -KILL $$');

    assert.deepEqual(end, { kind: 'signaled', signal: 'SIGKILL' });
  });

  test(`${limit}: promise 14: a writer of 300 MB is not held up, and the heap stays flat`, async (t) => {
    const before = process.memoryUsage.rss();

    const { end, output } = await run(t, isolation, 'head -c 300000000 /dev/zero; echo done >&2');

    assert.deepEqual(end, { kind: 'exited', exitCode: 0 });
    assert.equal(output.inline('stderr').data, 'done\n');
    assert.deepEqual([output.summary('stdout').bytes, output.summary('stdout').truncated], [1024 * 1024, true]);
    assert.ok(process.memoryUsage.rss() - before < 100e6);
  });
}

test('a program has exactly the environment that it is given, no stdin, no descriptor of ours, private new files', async (t) => {
  const secret = openSync(join(temporaryDirectory(t), 'secret'), 'w');
  t.after(() => closeSync(secret));

  const { output, directory } = await run(
    t,
    createProcessGroupIsolation(),
    'cat; tr "\\0" "\\n" < /proc/$$/environ; : > file; ls -l /proc/$$/fd >&2',
  );

  assert.equal(output.inline('stdout').data, `PATH=${ENV.PATH}\nMARK=${directory}\n`);
  assert.match(output.inline('stderr').data, / 0 -> \/dev\/null$/m);
  assert.doesNotMatch(output.inline('stderr').data, /secret/);
  assert.equal(statSync(join(directory, 'file')).mode & 0o777, 0o600);
});

test('a program that is not there, a NUL in the environment and an environment that is too large are not started', async (t) => {
  const directory = temporaryDirectory(t);
  const programs: Partial<Program>[] = [
    { file: join(directory, 'missing') },
    { file: directory },
    { env: { A: 'a\0b' } },
    { env: { A: 'a'.repeat(4_000_000) } },
    { cwd: join(directory, 'missing') },
  ];

  for (const program of programs) {
    for (const isolation of isolations.values()) {
      const end = await runProgram(
        { file: '/bin/true', args: [], cwd: directory, env: ENV, graceMs: 500, ...program },
        { signal: new AbortController().signal, output: createOutputCapture({ maxBytes: 1024 }), isolation, log },
      );

      assert.equal(end.kind, 'not_started', JSON.stringify(program).slice(0, 100));
    }
  }
});

test('a program whose signal has fired before is not started', async (t) => {
  const directory = temporaryDirectory(t);

  const end = await runProgram(
    { file: '/bin/sh', args: ['-c', ': > ran'], cwd: directory, env: ENV, graceMs: 500 },
    {
      signal: AbortSignal.abort(),
      output: createOutputCapture({ maxBytes: 1024 }),
      isolation: createProcessGroupIsolation(),
      log,
    },
  );

  assert.deepEqual(end, { kind: 'not_started', errno: 'ECANCELED' });
  assert.equal(existsSync(join(directory, 'ran')), false);
});

/** Runs a script; `abortOn` fires the signal when the script has said this on stdout. */
async function run(
  t: TestScope,
  isolation: Isolation,
  script: string,
  { abortOn, graceMs = 500 }: { abortOn?: 'ready'; graceMs?: number } = {},
): Promise<{ end: ProgramEnd; output: OutputCapture; directory: string }> {
  const directory = temporaryDirectory(t);
  const abort = new AbortController();
  const output = createOutputCapture({ maxBytes: 1024 * 1024 });
  const marker = [`MARK=${directory}`];
  const sink = {
    write: (stream: 'stdout' | 'stderr', bytes: Uint8Array | string) => {
      output.write(stream, bytes);
      if (abortOn !== undefined && output.inline('stdout').data.includes(abortOn)) abort.abort();
    },
  };
  const end = await runProgram(
    {
      file: '/bin/sh',
      args: ['-c', script],
      cwd: directory,
      env: { ...ENV, MARK: directory },
      graceMs,
      marker,
    },
    { signal: abort.signal, output: sink, isolation, log },
  );
  return { end, output, directory };
}
