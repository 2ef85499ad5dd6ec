import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { closeSync, existsSync, openSync, statSync, writeFileSync } from 'node:fs';
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
import { until } from '../../support/until.js';

const log = createLogger('agent', { level: 'silent' });
const NEVER = new AbortController().signal;
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

for (const [limit, isolation] of isolations) {
  test(`${limit}: P-43: a program has exactly its environment, no stdin, no descriptor of ours, private new files`, async (t) => {
    const secret = openSync(join(temporaryDirectory(t), 'secret'), 'w');
    t.after(() => closeSync(secret));

    const { output, directory } = await run(
      t,
      isolation,
      'cat; tr "\\0" "\\n" < /proc/$$/environ; : > file; ls -l /proc/$$/fd >&2; pwd',
    );

    assert.equal(output.inline('stdout').data, `PATH=${ENV.PATH}\nMARK=${directory}\n${directory}\n`);
    assert.match(output.inline('stderr').data, / 0 -> \/dev\/null$/m);
    assert.doesNotMatch(output.inline('stderr').data, /secret/);
    assert.equal(statSync(join(directory, 'file')).mode & 0o777, 0o600);
  });

  test(`${limit}: what cannot be started is not started, and says why`, async (t) => {
    const directory = temporaryDirectory(t);
    const script = (name: string, text: string): string => {
      const file = join(directory, name);
      writeFileSync(file, text, { mode: 0o755 });
      return file;
    };
    const programs: [errno: string, program: Partial<Program>][] = [
      ['ENOENT', { file: join(directory, 'missing') }],
      ['ENOENT', { file: 'no-such-program-on-any-path' }],
      ['ENOENT', { file: script('interpreter', '#!/no/such/interpreter\n') }],
      ['ENOENT', { file: script('crlf', '#!/bin/sh\r\n:\r\n') }],
      ['EACCES', { file: directory }],
      ['ERR_INVALID_ARG_VALUE', { env: { A: 'a\0b' } }],
      ['E2BIG', { env: { A: 'a'.repeat(200_000) } }],
      ['ENOENT', { cwd: join(directory, 'missing') }],
    ];

    for (const [errno, program] of programs) {
      const end = await runProgram(
        { file: '/bin/true', args: [], cwd: directory, env: ENV, graceMs: 500, ...program },
        { signal: NEVER, output: createOutputCapture({ maxBytes: 1024 }), isolation, log },
      );

      assert.deepEqual(end, { kind: 'not_started', errno }, JSON.stringify(program).slice(0, 100));
    }
  });

  test(`${limit}: a program that exits as a shell does for a missing command has been started`, async (t) => {
    const { end, output } = await run(t, isolation, 'no-such-command');

    assert.deepEqual(end, { kind: 'exited', exitCode: 127 });
    assert.match(output.inline('stderr').data, /not found/);
  });

  test(`${limit}: promise 14: while \`yes\` floods its output other programs run and end, and memory stays flat`, async (t) => {
    const abort = new AbortController();
    t.after(() => abort.abort());
    const output = createOutputCapture({ maxBytes: 64 * 1024 });
    let bytes = 0;
    const flood = runProgram(
      { file: 'yes', args: [], cwd: temporaryDirectory(t), env: ENV, graceMs: 500 },
      {
        ...{ signal: abort.signal, isolation, log },
        output: {
          write(stream, part) {
            bytes += part.length;
            output.write(stream, part);
          },
        },
      },
    );
    await until(() => bytes > 50e6, { what: 'the flood' });
    const { arrayBuffers } = process.memoryUsage();

    for (let count = 0; count < 5; count += 1) {
      assert.equal((await run(t, isolation, 'echo here')).output.inline('stdout').data, 'here\n');
    }
    const seen = bytes;
    await until(() => bytes > seen + 100e6, { what: 'more of it: the writer is not held up' });
    // What is read and dropped stays until it is collected: what was kept would not shrink again while it floods on.
    await until(() => process.memoryUsage().arrayBuffers - arrayBuffers < 16e6, { what: 'flat memory' });

    abort.abort();
    assert.equal((await flood).kind, 'signaled');
    assert.deepEqual([output.summary('stdout').bytes, output.summary('stdout').truncated], [64 * 1024, true]);
  });
}

// There nsenter executes the program, and what it says of a busy one a hook could print itself: nothing is tried again.
const trying = [...isolations].filter(([limit]) => limit !== 'pid_namespace');
for (const [limit, isolation] of trying) {
  test(`${limit}: a program that somebody else still has open to write is started once they let go`, async (t) => {
    const program = busyProgram(t);
    const launches: number[] = [];
    let asks = 0;

    const end = await runProgram(program.busy, {
      ...{ signal: NEVER, output: createOutputCapture({ maxBytes: 1024 }), isolation, log },
      mayStart() {
        asks += 1;
        if (asks === 3) program.release();
        return true;
      },
      launched: () => launches.push(asks),
    });

    assert.deepEqual([end, asks, launches], [{ kind: 'exited', exitCode: 7 }, 3, [3]]);
  });

  test(`${limit}: a program that stays open to write is not started, nor one whose time runs out meanwhile`, async (t) => {
    const { busy } = busyProgram(t);
    const context = { signal: NEVER, output: createOutputCapture({ maxBytes: 1024 }), isolation, log };
    let asks = 0;

    assert.deepEqual(await runProgram(busy, context), { kind: 'not_started', errno: 'ETXTBSY' });
    const mayStart = (): boolean => {
      asks += 1;
      return asks < 3;
    };
    assert.deepEqual(await runProgram(busy, { ...context, mayStart }), {
      kind: 'not_started',
      errno: 'ETIME',
    });
  });
}

test('the signal ends the wait for a program that somebody else still has open to write', async (t) => {
  const { busy } = busyProgram(t);
  const abort = new AbortController();
  const isolation = createProcessGroupIsolation();
  const output = createOutputCapture({ maxBytes: 1024 });
  let launches = 0;

  const ended = runProgram(busy, { signal: abort.signal, output, isolation, log, launched: () => (launches += 1) });
  await until(() => getEventListeners(abort.signal, 'abort').length > 0, { what: 'a pause that heeds the signal' });
  abort.abort();

  assert.deepEqual([await ended, launches], [{ kind: 'not_started', errno: 'ECANCELED' }, 0]);
  assert.deepEqual(getEventListeners(abort.signal, 'abort'), []);
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

/** A program that ends with 7, and that cannot be executed until it is released, since it is open to write. */
function busyProgram(t: TestScope): { busy: Program; release: () => void } {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'program');
  writeFileSync(file, '#!/bin/sh\nexit 7\n', { mode: 0o755 });
  const descriptor = openSync(file, 'r+');
  let isOpen = true;
  const release = (): void => {
    if (isOpen) closeSync(descriptor);
    isOpen = false;
  };
  t.after(release);
  return { busy: { file, args: [], cwd: directory, env: ENV, graceMs: 500 }, release };
}
