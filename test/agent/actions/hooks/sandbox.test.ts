import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { TestScope } from '../../../support/broker.js';
import { runHook } from '../../../support/hooks.js';
import { findIsolations } from '../../../support/isolations.js';
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

  assert.deepEqual(inside.end, outside.end);
  assert.deepEqual(inside.stdout.split('\n').sort(), outside.stdout.split('\n').sort());
});

test('P-43: a hook in bubblewrap has the open files of any hook', async (t) => {
  if (lack !== undefined) return t.skip(lack);
  const script = '#!/bin/sh\nls /proc/$$/fd\n';

  const inside = await runHook(t, script, { sidecar });
  const outside = await runHook(t, script);

  assert.equal(inside.stdout, outside.stdout);
});

test('a hook in bubblewrap gives its own exit code and ends with the signal', async (t) => {
  if (lack !== undefined) return t.skip(lack);
  const exited = await runHook(t, '#!/bin/sh\nexit 42\n', { sidecar });
  const ended = await runHook(t, '#!/bin/sh\ntrap "" TERM\necho ready\nsleep 999\n', { sidecar, abortOn: 'ready' });

  assert.deepEqual(exited.end, { kind: 'exited', exitCode: 42 });
  assert.equal(ended.end.kind, 'signaled');
});

test('a hook in bubblewrap with network: true has the interfaces of the node', async (t) => {
  if (lack !== undefined) return t.skip(lack);
  const script =
    '#!/bin/sh\ntail -n +3 /proc/net/dev | cut -d: -f1 | tr -d " " | sort\ncat /etc/resolv.conf > /dev/null && echo resolver\n';

  const inside = await runHook(t, script, { sidecar: { ...sidecar, network: true } });
  const outside = await runHook(t, script);

  assert.equal(inside.stdout, outside.stdout);
  assert.match(inside.stdout, /^lo$/m);
});

test('a hook in bubblewrap writes the paths that its sidecar names, and nothing beside them', async (t) => {
  if (lack !== undefined) return t.skip(lack);
  const directory = temporaryDirectory(t);
  for (const name of ['mine', 'other']) mkdirSync(join(directory, name));
  const script = `#!/bin/sh
echo kept > ${join(directory, 'mine', 'file')} && echo mine
touch ${join(directory, 'other', 'file')} || echo not-other
touch /usr/mine || echo read-only
`;

  const { stdout } = await runHook(t, script, { sidecar: { ...sidecar, writable: [join(directory, 'mine')] } });

  assert.equal(stdout, 'mine\nnot-other\nread-only\n');
  assert.equal(readFileSync(join(directory, 'mine', 'file'), 'utf8'), 'kept\n');
});

test('a writable path shows nothing of the agent’s data directory, above it or through a link', async (t) => {
  if (lack !== undefined) return t.skip(lack);
  const parent = mkdtempSync('/var/tmp/muster-');
  t.after(() => rmSync(parent, { recursive: true }));
  const dataDir = join(parent, 'data');
  mkdirSync(dataDir);
  writeFileSync(join(dataDir, 'node.key'), 'secret');
  symlinkSync(dataDir, join(parent, 'link'));
  const script = `#!/bin/sh\ncat ${join(dataDir, 'node.key')} 2>&1 || echo hidden\n`;
  const host = { dataDir };

  const above = await runHook(t, script, { host, sidecar: { ...sidecar, writable: [parent] } });
  const same = await runHook(t, script, { host, sidecar: { ...sidecar, writable: [dataDir] } });
  const link = await runHook(t, script, { host, sidecar: { ...sidecar, writable: [join(parent, 'link')] } });

  for (const { stdout } of [above, same]) assert.match(stdout, /No such file.*\nhidden/);
  assert.match(link.end.kind === 'error' ? link.end.message : '', /a link is part of it/);
});

test('a writable path that is not there is sandbox_unavailable, not a failed hook', async (t) => {
  if (lack !== undefined) return t.skip(lack);
  const missing = join(temporaryDirectory(t), 'missing');

  const { end } = await runHook(t, '#!/bin/sh\n', { sidecar: { ...sidecar, writable: [missing] } });

  assert.ok(end.kind === 'error');
  assert.equal(end.code, 'sandbox_unavailable');
  assert.match(end.message, /does not exist/);
});

/** A program that names every socket it reaches, and what it cannot reach with why. */
const REACH = `#!${process.execPath}
const { connect } = require('node:net');
const { spawnSync } = require('node:child_process');
connect(process.env.MUSTER_PARAM_SOCKET)
  .on('connect', function () { console.log('reached'); this.end(); })
  .on('error', ({ code }) => console.log(code))
  .on('close', () => console.log(spawnSync('echo', ['pipes']).stdout.toString().trim()));
`;

test('a hook in bubblewrap without network reaches no Unix socket, wherever it lies', async (t) => {
  if (lack !== undefined) return t.skip(lack);
  const socket = await listenUnix(t);
  const parameters = { socket };

  for (const [limit, isolation] of await findIsolations()) {
    const inside = await runHook(t, REACH, { sidecar, parameters, host: { isolation } });
    assert.equal(inside.stdout, 'EAFNOSUPPORT\npipes\n', `${limit}: ${inside.stderr}`);
  }
  const open = await runHook(t, REACH, { sidecar: { ...sidecar, network: true }, parameters });

  assert.equal(open.stdout, 'reached\npipes\n', open.stderr);
});

test('a hook in bubblewrap never sees the directory of the agent’s local socket', async (t) => {
  if (lack !== undefined) return t.skip(lack);
  const socket = await listenUnix(t);
  const host = { socketDirectory: dirname(socket) };
  const opened = { ...sidecar, network: true, writable: [dirname(socket)] };

  const { stdout, stderr } = await runHook(t, REACH, { sidecar: opened, parameters: { socket }, host });

  assert.equal(stdout, 'ENOENT\npipes\n', stderr);
});

test('a data directory inside the directory of the local socket still holds the hook that runs', async (t) => {
  if (lack !== undefined) return t.skip(lack);
  const socket = await listenUnix(t);
  const dataDir = join(dirname(socket), 'data');
  mkdirSync(dataDir);
  const host = { dataDir, socketDirectory: dirname(socket) };

  const { end, stdout } = await runHook(t, `#!/bin/sh\nls ${dirname(socket)} ${dataDir}\n`, { sidecar, host });

  assert.deepEqual(end, { kind: 'exited', exitCode: 0 });
  assert.doesNotMatch(stdout, /agent\.sock/);
  assert.match(stdout, /hook-copies/);
});

test('a hook in bubblewrap without network gets no socket but of IP and netlink, and no ring', async (t) => {
  if (lack !== undefined) return t.skip(lack);
  if (spawnSync('python3', ['--version']).status !== 0) return t.skip('python3 is not installed');
  const script = `#!/usr/bin/env python3
import ctypes, errno, socket
def outcome(what):
    try: what(); return 'made'
    except OSError as error: return errno.errorcode[error.errno]
for family in ('AF_UNIX', 'AF_VSOCK', 'AF_ALG', 'AF_PACKET', 'AF_INET', 'AF_INET6', 'AF_NETLINK'):
    kind = socket.SOCK_RAW if family == 'AF_NETLINK' else socket.SOCK_DGRAM
    print(family, outcome(lambda: socket.socket(getattr(socket, family), kind)))
for kind in ('SOCK_STREAM', 'SOCK_SEQPACKET', 'SOCK_DGRAM', 'SOCK_RAW'):
    print('pair', kind, outcome(lambda: socket.socketpair(socket.AF_UNIX, getattr(socket, kind))))
libc = ctypes.CDLL(None, use_errno=True)
print('ring', libc.syscall(425, 1, ctypes.create_string_buffer(256)), errno.errorcode[ctypes.get_errno()])
`;

  const { stdout, stderr } = await runHook(t, script, { sidecar });

  assert.deepEqual(
    stdout.trim().split('\n'),
    [
      ...['AF_UNIX', 'AF_VSOCK', 'AF_ALG', 'AF_PACKET'].map((family) => `${family} EAFNOSUPPORT`),
      ...['AF_INET', 'AF_INET6', 'AF_NETLINK', 'pair SOCK_STREAM', 'pair SOCK_SEQPACKET'].map((made) => `${made} made`),
      ...['pair SOCK_DGRAM EAFNOSUPPORT', 'pair SOCK_RAW EAFNOSUPPORT', 'ring -1 ENOSYS'],
    ],
    stderr,
  );
});

/** A Unix socket that takes every connection, in a directory that no sandbox hides by itself; gives its path. */
async function listenUnix(t: TestScope): Promise<string> {
  const directory = mkdtempSync('/var/tmp/muster-');
  const server = createServer((connection) => connection.on('error', () => {}).end());
  server.listen(join(directory, 'agent.sock'));
  t.after(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });
  await once(server, 'listening');
  return join(directory, 'agent.sock');
}
