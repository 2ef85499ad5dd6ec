import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { askedSockets, isLocalCommand, servedSocket } from '../../../agent/local/place.js';
import { isOpenToOthers } from '../../../agent/local/server.js';
import { fitsSocketAddress } from '../../../runtime/held-directory.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

test('the socket lies where systemd says, else in the data directory, unless a setting says otherwise', () => {
  const at = (local_socket: string, env: Readonly<Record<string, string>> = {}) =>
    servedSocket({ local_socket }, { dataDir: '/var/lib/muster-agent', env });

  assert.equal(at(''), '/var/lib/muster-agent/agent.sock');
  assert.equal(at('', { RUNTIME_DIRECTORY: '/run/muster-agent' }), '/run/muster-agent/agent.sock');
  assert.equal(at('', { RUNTIME_DIRECTORY: '/run/one:/run/two' }), '/run/one/agent.sock');
  assert.equal(at('', { RUNTIME_DIRECTORY: 'relative' }), '/var/lib/muster-agent/agent.sock');
  assert.equal(at('/srv/a.sock', { RUNTIME_DIRECTORY: '/run/muster-agent' }), '/srv/a.sock');
  assert.equal(at('off', { RUNTIME_DIRECTORY: '/run/muster-agent' }), undefined);
});

test('a command looks where it is told, else in the usual places', () => {
  assert.deepEqual(askedSockets({ socket: '/a.sock', data: '/d' }, { MUSTER_DATA: '/m' }), ['/a.sock']);
  assert.deepEqual(askedSockets({ data: '/d' }, { MUSTER_AGENT_LOCAL_SOCKET: '/e.sock' }), ['/d/agent/agent.sock']);
  assert.deepEqual(askedSockets({}, { MUSTER_AGENT_LOCAL_SOCKET: '/e.sock', MUSTER_DATA: '/m' }), ['/e.sock']);
  assert.deepEqual(askedSockets({}, { MUSTER_DATA: '/m' }), ['/m/agent/agent.sock']);
  assert.deepEqual(askedSockets({}, { MUSTER_AGENT_DATA_DIR: '/x' }), ['/x/agent.sock']);
  assert.deepEqual(askedSockets({}, {}), [resolve('.muster/agent/agent.sock'), '/run/muster-agent/agent.sock']);
});

test('a socket address holds 107 bytes, counted in UTF-8', () => {
  assert.equal(fitsSocketAddress('x'.repeat(107)), true);
  assert.equal(fitsSocketAddress('x'.repeat(108)), false);
  assert.equal(fitsSocketAddress('ü'.repeat(54)), false);
});

test('three words ask an agent, and everything else starts one', () => {
  assert.deepEqual(['status', 'actions', 'run', 'Status', '--data', '', undefined].map(isLocalCommand), [
    true,
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});

test('a directory is open to others only if all above it are', (t) => {
  const directory = temporaryDirectory(t);
  const inside = (mode: number): boolean => {
    chmodSync(directory, mode);
    return isOpenToOthers(directory);
  };

  assert.equal(isOpenToOthers('/'), true);
  assert.deepEqual(
    [inside(0o711), inside(0o710), inside(0o700)],
    [isOpenToOthers(join(directory, '..')), false, false],
  );
});
