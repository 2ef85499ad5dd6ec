import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createCgroupIsolation, findCgroup, ownDirectory } from '../../../agent/actions/cgroup.js';
import { detectIsolation } from '../../../agent/actions/isolation.js';
import { createLogger } from '../../../runtime/logger.js';

const log = createLogger('agent', { level: 'silent' });

const UNIFIED = '30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate';

test('the cgroup of the agent is its path below the mount', () => {
  const examples: [mountinfo: string, cgroup: string, expected: string | undefined][] = [
    [UNIFIED, '0::/system.slice/muster.service\n', '/sys/fs/cgroup/system.slice/muster.service'],
    [UNIFIED, '9:name=systemd:/\n0::/\n', '/sys/fs/cgroup/'],
    [UNIFIED.replace(' / ', ' /a/b '), '0::/a/b/c\n', '/sys/fs/cgroup/c'],
    [UNIFIED.replace(' / ', ' /a/b '), '0::/a/bc\n', undefined],
    [UNIFIED, '0::/../other\n', undefined],
    [UNIFIED, '1:name=systemd:/\n', undefined],
    ['', '0::/\n', undefined],
  ];

  for (const [mountinfo, cgroup, expected] of examples) {
    assert.equal(ownDirectory(mountinfo, cgroup), expected);
  }
});

test('what an earlier agent left in its cgroups is killed at the next start', async (t) => {
  const base = findCgroup(log);
  if (base === undefined) return t.skip('no writable cgroup v2');
  const namespace = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0];
  // Its pid has become somebody else's since: our own, which began at another time.
  const directory = join(base, `muster-${namespace}-${process.pid}-1-1`);
  mkdirSync(directory);
  const orphan = spawn('sleep', ['999'], { detached: true, stdio: 'ignore' });
  t.after(() => orphan.kill('SIGKILL'));
  writeFileSync(join(directory, 'cgroup.procs'), String(orphan.pid));

  await detectIsolation(log);

  const [, signal] = await once(orphan, 'exit');
  assert.equal(signal, 'SIGKILL');
  await detectIsolation(log);
  assert.equal(existsSync(directory), false);
});

test('two agents in one process have a cgroup of their own for each execution', async (t) => {
  const base = findCgroup(log);
  if (base === undefined) return t.skip('no writable cgroup v2');
  const isolations = [createCgroupIsolation({ base, log }), createCgroupIsolation({ base, log })];

  const enclosures = [];
  for (const isolation of [...isolations, ...isolations]) {
    const enclosure = await isolation.enclose();
    t.after(enclosure.release);
    enclosures.push(enclosure);
  }

  assert.equal(new Set(enclosures.map(({ cgroup }) => cgroup)).size, 4);
});
