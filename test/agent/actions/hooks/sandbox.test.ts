import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runHook } from '../../../support/hooks.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';

const sidecar = { sandbox: 'bubblewrap' };

/** Why this machine cannot show it; undefined when it can. */
const lack =
  spawnSync('bwrap', ['--unshare-all', '--ro-bind', '/', '/', '--proc', '/proc', 'true']).status === 0
    ? undefined
    : 'bubblewrap does not work here';

test('a hook in bubblewrap writes its working directory and its own /tmp, and nothing else', async (t) => {
  if (lack !== undefined) return t.skip(lack);
  const outside = temporaryDirectory(t);
  const probe = join(outside, 'file');

  const { end, stdout } = await runHook(
    t,
    `#!/bin/sh
touch mine && echo work
touch /tmp/mine && echo tmp
touch /usr/mine || echo read-only
touch "$0" || echo not-itself
touch ${probe} || echo hidden
`,
    { sidecar },
  );

  assert.deepEqual(end, { kind: 'exited', exitCode: 0 });
  assert.deepEqual(stdout.split('\n'), ['work', 'tmp', 'read-only', 'not-itself', 'hidden', '']);
});

test('a hook in bubblewrap has no network, no capabilities, and does not see the agent’s data directory', async (t) => {
  if (lack !== undefined) return t.skip(lack);
  const dataDir = mkdtempSync('/var/tmp/muster-'); // not below /tmp, which is hidden anyhow
  t.after(() => rmSync(dataDir, { recursive: true }));
  writeFileSync(join(dataDir, 'node.key'), 'secret');

  const { stdout } = await runHook(
    t,
    `#!/bin/sh\ntail -n +3 /proc/net/dev | cut -d: -f1\ngrep CapEff /proc/self/status\nls ${dataDir}\nls /run\n`,
    { sidecar, host: { dataDir } },
  );

  assert.equal(stdout.replaceAll(/[ \t]/g, ''), 'lo\nCapEff:0000000000000000\nhook-copies\n');
});

test('P-43: a hook in bubblewrap has the environment of any hook', async (t) => {
  if (lack !== undefined) return t.skip(lack);
  const script = '#!/bin/sh\ntr "\\0" "\\n" < /proc/$$/environ\n';

  const inside = await runHook(t, script, { sidecar, parameters: { a: 'b' } });
  const outside = await runHook(t, script, { parameters: { a: 'b' } });

  assert.deepEqual(inside.stdout.split('\n').sort(), outside.stdout.split('\n').sort());
});

test('a hook in bubblewrap gives its own exit code and ends with the signal', async (t) => {
  if (lack !== undefined) return t.skip(lack);
  const exited = await runHook(t, '#!/bin/sh\nexit 42\n', { sidecar });
  const ended = await runHook(t, '#!/bin/sh\ntrap "" TERM\necho ready\nsleep 999\n', { sidecar, abortOn: 'ready' });

  assert.deepEqual(exited.end, { kind: 'exited', exitCode: 42 });
  assert.equal(ended.end.kind, 'signaled');
});
