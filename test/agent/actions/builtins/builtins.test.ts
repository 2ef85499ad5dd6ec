import assert from 'node:assert/strict';
import { arch, hostname, platform } from 'node:os';
import { test } from 'node:test';
import { createNodeInfo } from '../../../../agent/actions/builtins/node-info.js';
import { runBuiltin, TOOLS } from '../../../support/builtins.js';
import { writeHook } from '../../../support/hooks.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';

test('P-62, S-P-60: gather_info prints the seven keys, with what the node and its provider say', async () => {
  const { end, stdout } = await runBuiltin('gather_info', {});

  assert.deepEqual(end, { kind: 'exited', exitCode: 0 });
  assert.deepEqual(JSON.parse(stdout), {
    hostname: hostname(),
    os: platform(),
    arch: arch(),
    runtime_version: `node ${process.version}`,
    mesh_ip: '10.9.0.7',
    peer_count: 3,
    node_id: 'pump-7',
  });
});

test('P-61: mesh_ip is the address of the mesh interface, else that of the broker connection, else empty', () => {
  const meshIp = (meshInterface: string | undefined, address: string | undefined): string =>
    createNodeInfo({ nodeId: 'pump-7', meshInterface, brokerLocalAddress: () => address, ...TOOLS }).meshIp();

  assert.equal(meshIp('lo', '192.0.2.1'), '127.0.0.1');
  assert.equal(meshIp('no-such-if', '192.0.2.1'), '192.0.2.1');
  assert.equal(meshIp(undefined, '192.0.2.1'), '192.0.2.1');
  assert.equal(meshIp(undefined, undefined), '');
});

test('P-61: peer_count is the number of lines that wg prints, 0 without wg or when it fails', async (t) => {
  const directory = temporaryDirectory(t);
  const count = (path: string, meshInterface?: string): Promise<number> =>
    createNodeInfo({ nodeId: 'pump-7', meshInterface, brokerLocalAddress: () => undefined, ...TOOLS, path }).peerCount(
      new AbortController().signal,
    );

  assert.equal(await count(directory, 'wg0'), 0);
  writeHook(directory, 'wg', '#!/bin/sh\n[ "$*" = "show wg0 peers" ] && printf "a=\\nb=\\n"\n');
  assert.equal(await count(directory, 'wg0'), 2);
  assert.equal(await count(directory, 'wg1'), 0);
  assert.equal(await count(directory), 0);
});

test('P-59, P-60: a built-in gets parameters and no checksum, and gives stdout, stderr and an exit code', async () => {
  const good = await runBuiltin('gather_info');
  const bad = await runBuiltin('ping', { target: 'nowhere' });

  assert.deepEqual([good.end, good.stderr], [{ kind: 'exited', exitCode: 0 }, '']);
  assert.ok(good.stdout.length > 0);
  assert.deepEqual([bad.end, bad.stdout, bad.stderr], [{ kind: 'exited', exitCode: 1 }, '', 'invalid target IP']);
});

test('P-63…P-66, S-P-61: ping of 127.0.0.1 exits with 0 and prints what the program printed', async () => {
  const { end, stdout } = await runBuiltin('ping', { target: '127.0.0.1' });

  assert.deepEqual(end, { kind: 'exited', exitCode: 0 });
  assert.match(stdout, /1 packets transmitted/);
});

test('P-65, P-66: ping runs with -c 1 -W 3, and every failure of it is 1', async (t) => {
  const path = temporaryDirectory(t);
  writeHook(path, 'ping', '#!/bin/sh\necho "$@"\nexit 2\n');

  const { end, stdout } = await runBuiltin('ping', { target: '2001:db8::1' }, { path });

  assert.deepEqual(end, { kind: 'exited', exitCode: 1 });
  assert.equal(stdout, '-c 1 -W 3 2001:db8::1\n');
});

test('S-P-61: ping without a target is missing_required_parameter', async () => {
  const { end } = await runBuiltin('ping', {});

  assert.deepEqual(end, {
    kind: 'error',
    code: 'missing_required_parameter',
    message: 'missing required parameter: target',
  });
});

test('P-64, S-P-61: a target that is no IP address exits with 1 and says so, and no program is started', async (t) => {
  for (const target of ['not-an-ip', '-f', '1.2.3.4; reboot', '1.2.3', true]) {
    const { end, stdout, stderr } = await runBuiltin('ping', { target }, { path: temporaryDirectory(t) });

    assert.deepEqual(end, { kind: 'exited', exitCode: 1 });
    assert.deepEqual([stdout, stderr], ['', 'invalid target IP']);
  }
});

test('a node without the program ping answers start_failed in a sentence', async (t) => {
  const { end } = await runBuiltin('ping', { target: '127.0.0.1' }, { path: temporaryDirectory(t) });

  assert.deepEqual(end, {
    kind: 'error',
    code: 'start_failed',
    message: 'The program ping could not be started: ENOENT.',
  });
});
