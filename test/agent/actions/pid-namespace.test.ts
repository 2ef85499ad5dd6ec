import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Enclosure, Isolation } from '../../../agent/actions/isolation.js';
import { createOutputCapture } from '../../../agent/actions/output-capture.js';
import { createPidNamespaceIsolation } from '../../../agent/actions/pid-namespace.js';
import { readProcess } from '../../../agent/actions/process-group.js';
import { runProgram } from '../../../agent/actions/processes.js';
import { createLogger } from '../../../runtime/logger.js';
import { hookRunner, writeHook } from '../../support/hooks.js';
import { findIsolations } from '../../support/isolations.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const isolation = (await findIsolations()).get('pid_namespace');
const lack = 'the machine lets nobody make PID namespaces';

test('pid_namespace: a hook whose namespace is killed before its start was not started, and the next one runs', async (t) => {
  if (isolation === undefined) return t.skip(lack);
  const directory = temporaryDirectory(t);
  const { checksum } = writeHook(directory, 'hook.sh', '#!/bin/sh\necho ran\n');
  const run = await hookRunner(t, directory, { isolation: withFirst(isolation, killFirstProcess) });

  const first = await run({ checksum });
  const second = await run({ checksum });

  assert.deepEqual(first.end, {
    kind: 'error',
    code: 'start_failed',
    message:
      'hook.sh was not started: the first process of its PID namespace was ended by others or could not start (ESRCH). The next start makes a new one.',
  });
  assert.equal(first.stdout, '');
  assert.deepEqual([second.end, second.stdout], [{ kind: 'exited', exitCode: 0 }, 'ran\n']);
});

test('pid_namespace: a hook whose namespace is killed while it runs ends by SIGKILL, and the next one runs', async (t) => {
  if (isolation === undefined) return t.skip(lack);
  const directory = temporaryDirectory(t);
  const { checksum } = writeHook(
    directory,
    'hook.sh',
    '#!/bin/sh\n[ "$MUSTER_PARAM_STAY" = yes ] && sleep 999\nexit 7\n',
  );
  const run = await hookRunner(t, directory, {
    isolation: withFirst(isolation, async (enclosure) => ({
      ...enclosure,
      start(spawn) {
        const child = enclosure.start(spawn);
        void until(() => sleepsBelow(child.pid), { what: 'the sleep' }).then(() => killFirstProcess(enclosure));
        return child;
      },
    })),
  });

  const first = await run({ checksum, parameters: { stay: 'yes' } });
  const second = await run({ checksum });

  assert.deepEqual(first.end, { kind: 'signaled', signal: 'SIGKILL' });
  assert.deepEqual(second.end, { kind: 'exited', exitCode: 7 });
});

test('pid_namespace: a hook that fails as nsenter does has been started', async (t) => {
  if (isolation === undefined) return t.skip(lack);
  const directory = temporaryDirectory(t);
  const { checksum } = writeHook(directory, 'hook.sh', '#!/bin/sh\necho "nsenter: cannot open /x" >&2\nexit 1\n');
  const run = await hookRunner(t, directory, { isolation });

  assert.deepEqual((await run({ checksum })).end, { kind: 'exited', exitCode: 1 });
});

test('pid_namespace: why a program cannot be executed has the name that it has without a namespace', async (t) => {
  if (isolation === undefined) return t.skip(lack);
  const directory = temporaryDirectory(t);
  const file = (name: string, text = '#!/bin/sh\n'): string => writeHook(directory, name, text).file;
  const busy = file('busy');
  const descriptor = openSync(busy, 'r+');
  t.after(() => closeSync(descriptor));
  const loop = join(directory, 'loop');
  symlinkSync(loop, loop);
  const programs: [errno: string, file: string][] = [
    ['ETXTBSY', busy],
    ['ELOOP', loop],
    ['ENAMETOOLONG', join(directory, 'x'.repeat(300))],
    ['ENOTDIR', join(busy, 'below')],
  ];

  for (const [errno, program] of programs) {
    const { signal } = new AbortController();
    const output = createOutputCapture({ maxBytes: 1024 });
    const end = await runProgram(
      { file: program, args: [], cwd: directory, env: { PATH: '/usr/bin:/bin' }, graceMs: 500 },
      { signal, output, isolation, log: createLogger('agent', { level: 'silent' }) },
    );

    assert.deepEqual(end, { kind: 'not_started', errno }, program);
  }
});

test('pid_namespace: a namespace that cannot be made starts nothing, and has an errno', async (t) => {
  const unshare = writeHook(temporaryDirectory(t), 'unshare', '#!/bin/sh\nexit 1\n').file;
  const tools = { nsenter: '/usr/bin/nsenter', isRoot: true };

  await assert.rejects(createPidNamespaceIsolation({ ...tools, unshare }).enclose(), { code: 'ESRCH' });
  await assert.rejects(createPidNamespaceIsolation({ ...tools, unshare: `${unshare}-none` }).enclose(), {
    code: 'ENOENT',
  });
});

/** The same isolation, of which the first enclosure is changed. */
function withFirst(real: Isolation, change: (enclosure: Enclosure) => Promise<Enclosure>): Isolation {
  let isFirst = true;
  return {
    ...real,
    async enclose(marker) {
      const enclosure = await real.enclose(marker);
      if (!isFirst) return enclosure;
      isFirst = false;
      return change(enclosure);
    },
  };
}

/** Kills the first process of its namespace, as somebody on the node might. */
async function killFirstProcess(enclosure: Enclosure): Promise<Enclosure> {
  const { args } = enclosure.lead({ file: '/bin/true', args: [], cwd: '/' });
  const outside = Number(args.find((arg) => arg.startsWith('--target='))?.slice('--target='.length));
  const [first = 0] = childrenOf(outside);
  process.kill(first, 'SIGKILL');
  await until(() => readProcess(first) === undefined, { what: 'the end of the namespace' });
  return enclosure;
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}

/** Whether the hook that nsenter started has come to its sleep. */
function sleepsBelow(nsenter = 0): boolean {
  return childrenOf(nsenter).some((hook) => childrenOf(hook).length > 0);
}
