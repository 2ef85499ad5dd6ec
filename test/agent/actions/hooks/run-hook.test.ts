import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RunEnd } from '../../../../agent/actions/action.js';
import { hashHook, isSameChecksum } from '../../../../agent/actions/hooks/hook-file.js';
import { clearPrivateCopies } from '../../../../agent/actions/hooks/private-copy.js';
import { createHookAction } from '../../../../agent/actions/hooks/run-hook.js';
import { createProcessGroupIsolation } from '../../../../agent/actions/process-group.js';
import { createLogger } from '../../../../runtime/logger.js';
import { EXECUTION_ID, type HookRun, runHook, writeHook } from '../../../support/hooks.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';

const ZEROS = '0'.repeat(64);
const PRINT_ENVIRONMENT = '#!/bin/sh\ntr "\\0" "\\n" < /proc/$$/environ | sort\n';

test('S-P-40: a hook with the right checksum runs, and its private copy is gone afterwards', async (t) => {
  const { end, stdout, stderr, dataDir } = await runHook(t, '#!/bin/sh\necho hello; echo trouble >&2; pwd; ls -a\n');

  assert.deepEqual(end, { kind: 'exited', exitCode: 0 });
  assert.match(stdout, /^hello\n\/.*\/work\n\.\n\.\.\n$/);
  assert.equal(stderr, 'trouble\n');
  assert.deepEqual(readdirSync(join(dataDir, 'hook-copies')), []);
});

test('P-103, S-P-34: a hook that exits with 42 exits with 42', async (t) => {
  const { end, stdout } = await runHook(t, '#!/bin/sh\necho so far\nexit 42\n');

  assert.deepEqual(end, { kind: 'exited', exitCode: 42 });
  assert.equal(stdout, 'so far\n');
});

test('P-42, P-102, S-P-30: a hook that outlives its time ends with the signal, and keeps what it has printed', async (t) => {
  const polite = await runHook(t, '#!/bin/sh\necho ready\nexec sleep 999\n', { abortOn: 'ready' });
  const stubborn = await runHook(t, '#!/bin/sh\ntrap "" TERM\necho ready\nsleep 999\n', { abortOn: 'ready' });

  assert.deepEqual([polite.end, polite.stdout], [{ kind: 'signaled', signal: 'SIGTERM' }, 'ready\n']);
  assert.deepEqual([stubborn.end, stubborn.stdout], [{ kind: 'signaled', signal: 'SIGKILL' }, 'ready\n']);
});

test('a hook may print unicode, or nothing', async (t) => {
  const { stdout } = await runHook(t, '#!/bin/sh\nprintf "grün 🌱 %s" "$MUSTER_PARAM_TEXT"\n', {
    parameters: { text: '日本 $(id) "; x' },
  });
  const silent = await runHook(t, '#!/bin/sh\n');

  assert.equal(stdout, 'grün 🌱 日本 $(id) "; x');
  assert.deepEqual([silent.stdout, silent.stderr], ['', '']);
});

for (const prefix of ['MUSTER_', 'PLEXD_']) {
  test(`P-43, P-77…P-83, S-P-48, S-P-51: a hook sees these names and no others (${prefix})`, async (t) => {
    const { stdout } = await runHook(t, PRINT_ENVIRONMENT, {
      parameters: { target: '10.0.0.1', mode: 'fast', 'my-param.name!': true, count: 3 },
      host: { envPrefix: prefix, agentEnv: { PATH: '/usr/bin:/bin', HOME: '/root', AGENT_TOKEN: 'secret' } },
    });

    assert.deepEqual(
      stdout.trimEnd().split('\n'),
      [
        'HOME=/root',
        `${prefix}EXECUTION_ID=${EXECUTION_ID}`,
        `${prefix}NODE_ID=pump-7`,
        `${prefix}PARAM_COUNT=3`,
        `${prefix}PARAM_MODE=fast`,
        `${prefix}PARAM_MY_PARAM_NAME_=true`,
        `${prefix}PARAM_TARGET=10.0.0.1`,
        'PATH=/usr/bin:/bin',
      ].sort(),
    );
  });
}

test('S-P-50: without parameters there is no PARAM variable', async (t) => {
  const { stdout } = await runHook(t, PRINT_ENVIRONMENT);

  assert.doesNotMatch(stdout, /PARAM/);
});

test('P-101, S-P-41, S-P-42: a checksum that is wrong or absent is integrity_check_failed, and the hook has not run', async (t) => {
  for (const checksum of [ZEROS, '', null, 'abc']) {
    const trace = join(temporaryDirectory(t), 'trace');

    const { end } = await runHook(t, `#!/bin/sh\n: > ${trace}\n`, { checksum });

    assertError(end, 'integrity_check_failed');
    assert.equal(existsSync(trace), false);
  }
});

test('S-P-42: the reason for an absent checksum is said', async (t) => {
  const { end } = await runHook(t, '#!/bin/sh\n', { checksum: null });

  assert.match(assertError(end, 'integrity_check_failed'), /expected checksum of hook\.sh is required/);
});

test('S-P-46: a hook that is overwritten after its check runs as it was checked', async (t) => {
  let overwritten = '';
  const verify = async ({ file, content, checksum }: { file: string; content: Buffer; checksum: string }) => {
    overwritten = file;
    writeFileSync(file, '#!/bin/sh\necho evil\n');
    return isSameChecksum(hashHook(content), checksum);
  };

  const { end, stdout } = await runHook(t, '#!/bin/sh\necho good\n', { host: { verify } });

  assert.notEqual(overwritten, '');
  assert.deepEqual([end, stdout], [{ kind: 'exited', exitCode: 0 }, 'good\n']);
});

test('P-57: the verifier decides', async (t) => {
  const { end } = await runHook(t, '#!/bin/sh\n', { host: { verify: async () => false } });

  assertError(end, 'integrity_check_failed');
});

test('P-100, S-P-44: a hook whose file is gone is hook_not_found', async (t) => {
  const { end } = await runHook(t, '#!/bin/sh\n', { meanwhile: (file) => rmSync(file) });

  assertError(end, 'hook_not_found');
});

test('a file that is no longer a regular executable that only its owner may write is hook_not_executable', async (t) => {
  const changes: [what: string, change: NonNullable<HookRun['meanwhile']>][] = [
    ['not executable', (file) => writeHook(join(file, '..'), 'hook.sh', '#!/bin/sh\n', 0o644)],
    ['writable by its group', (file) => writeHook(join(file, '..'), 'hook.sh', '#!/bin/sh\n', 0o775)],
    ['writable by all', (file) => writeHook(join(file, '..'), 'hook.sh', '#!/bin/sh\n', 0o757)],
    ['too large', (file) => writeHook(join(file, '..'), 'hook.sh', '#'.repeat(16 * 1024 * 1024 + 1))],
    [
      'a link',
      (file) => {
        renameSync(file, `${file}.real`);
        symlinkSync(`${file}.real`, file);
      },
    ],
    [
      'a directory',
      (file) => {
        rmSync(file);
        mkdirSync(file);
      },
    ],
  ];

  for (const [what, meanwhile] of changes) {
    const { end } = await runHook(t, '#!/bin/sh\n', { meanwhile });

    assert.equal(end.kind === 'error' && end.code, 'hook_not_executable', what);
  }
});

test('P-40, P-6: what has the hook’s name is asked before its bytes: a FIFO does not hold the agent up', async (t) => {
  const { end } = await runHook(t, '#!/bin/sh\n', {
    meanwhile(file) {
      rmSync(file);
      assert.equal(spawnSync('mkfifo', ['-m', '755', file]).status, 0);
    },
  });

  assert.match(assertError(end, 'hook_not_executable'), /not regular/);
});

test('P-39: a name that leads out of the directory is refused, whoever made it', async (t) => {
  const directory = temporaryDirectory(t);
  const { file, checksum } = writeHook(directory, 'hook.sh', '#!/bin/sh\n');

  for (const name of ['../hook.sh', 'a/hook.sh', 'a\\hook.sh', '..', 'a..b']) {
    const spec = { name, description: '', parameters: [], source: 'local', checksum, sandbox: 'none' };
    const action = createHookAction(
      { spec, file },
      {
        nodeId: 'pump-7',
        envPrefix: 'MUSTER_',
        agentEnv: {},
        dataDir: directory,
        isolation: createProcessGroupIsolation(),
        log: createLogger('agent', { level: 'silent' }),
      },
    );
    const end = await action.run({
      executionId: EXECUTION_ID,
      parameters: new Map(),
      checksum,
      timeoutMs: 1000,
      signal: new AbortController().signal,
      output: { write: () => assert.fail('it ran') },
    });

    assertError(end, 'hook_not_found');
  }
});

test('two parameters that become one variable, and a NUL, are invalid_parameter', async (t) => {
  const clash = await runHook(t, '#!/bin/sh\n', { parameters: { 'a-b': 1, a_B: 2 } });
  const nul = await runHook(t, '#!/bin/sh\n', { parameters: { a: 'x\0y' } });

  assert.match(assertError(clash.end, 'invalid_parameter'), /MUSTER_PARAM_A_B/);
  assertError(nul.end, 'invalid_parameter');
});

test('a hook that cannot be started is start_failed with the reason', async (t) => {
  const noInterpreter = await runHook(t, '#!/no/such/interpreter\n');
  const badInterpreter = await runHook(t, '#!/etc/passwd\n');
  const noDisk = await runHook(t, '#!/bin/sh\n', { host: { dataDir: '/proc/1/no' } });
  const tooLarge = await runHook(t, '#!/bin/sh\n', { parameters: { a: 'a'.repeat(200_000) } });

  const windows = await runHook(t, '#!/bin/sh\r\necho\r\n');
  const noLine = await runHook(t, 'echo no shell was asked for\n');

  assert.match(assertError(noInterpreter.end, 'start_failed'), /interpreter .* is not on the node/);
  assert.match(assertError(windows.end, 'start_failed'), /first line ends in CR LF/);
  assert.match(assertError(noLine.end, 'start_failed'), /does not begin with #!/);
  assert.match(assertError(badInterpreter.end, 'start_failed'), /noexec/);
  assert.match(assertError(noDisk.end, 'start_failed'), /private copy .* could not be made/);
  assert.match(assertError(tooLarge.end, 'start_failed'), /E2BIG/);
});

test('a sandbox that is unknown is sandbox_unavailable, and the hook has not run', async (t) => {
  const trace = join(temporaryDirectory(t), 'trace');

  const { end } = await runHook(t, `#!/bin/sh\n: > ${trace}\n`, { sidecar: { sandbox: 'firejail' } });

  assert.match(assertError(end, 'sandbox_unavailable'), /firejail/);
  assert.equal(existsSync(trace), false);
});

test('a hook whose sidecar cannot be read does not run in no sandbox', async (t) => {
  const { end } = await runHook(t, '#!/bin/sh\n', { sidecar: { sandbox: 7 } });

  assertError(end, 'sandbox_unavailable');
});

test('bubblewrap that is not installed is sandbox_unavailable', async (t) => {
  const { end } = await runHook(t, '#!/bin/sh\n', {
    sidecar: { sandbox: 'bubblewrap' },
    host: { agentEnv: { PATH: temporaryDirectory(t) } },
  });

  assert.match(assertError(end, 'sandbox_unavailable'), /not installed/);
});

test('what an agent that was killed left of private copies is removed', async (t) => {
  const dataDir = temporaryDirectory(t);
  mkdirSync(join(dataDir, 'hook-copies', 'hook-abc'), { recursive: true });

  await clearPrivateCopies(dataDir);

  assert.deepEqual(readdirSync(dataDir), []);
});

function assertError(end: RunEnd, code: string): string {
  assert.ok(end.kind === 'error', JSON.stringify(end));
  assert.equal(end.code, code, end.message);
  return end.message;
}
