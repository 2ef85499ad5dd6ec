import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isOwn, readOwnIds } from '../../../../agent/actions/containers/own-container.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';

const [ID, OTHER] = ['a1'.repeat(32), 'b2'.repeat(32)];

/** The ids that a process finds whose /proc says this. */
async function idsOf(
  t: Parameters<typeof temporaryDirectory>[0],
  { cgroup = '0::/\n', mountinfo = '', hostname = 'gateway' },
): Promise<string[]> {
  const proc = temporaryDirectory(t);
  writeFileSync(join(proc, 'cgroup'), cgroup);
  writeFileSync(join(proc, 'mountinfo'), mountinfo);
  return readOwnIds({ proc, hostname });
}

test('an agent in a container finds its id in its cgroup, whoever made that', async (t) => {
  for (const path of [
    `/docker/${ID}`,
    `/system.slice/docker-${ID}.scope`,
    `/machine.slice/libpod-${ID}.scope/container`,
    `/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${ID}.scope`,
    `/kubepods/besteffort/pod12345/${ID}`,
  ]) {
    assert.deepEqual(await idsOf(t, { cgroup: `12:cpu:/\n0::${path}\n1:x:/\n` }), [ID], path);
  }
  assert.deepEqual(await idsOf(t, { cgroup: `0::/docker/${OTHER}/docker/${ID}\n` }), [OTHER, ID]);
});

test('an agent whose cgroup says nothing finds its id in what is mounted over its files, or in its host name', async (t) => {
  const docker = `700 690 8:1 /var/lib/docker/containers/${ID}/hostname /etc/hostname rw - ext4 /dev/sda1 rw\n`;
  const podman = `700 690 0:9 /containers/overlay-containers/${ID}/userdata/hosts /etc/hosts rw - tmpfs tmpfs rw\n`;

  assert.deepEqual(await idsOf(t, { mountinfo: docker }), [ID]);
  assert.deepEqual(await idsOf(t, { mountinfo: podman }), [ID]);
  assert.deepEqual(await idsOf(t, { hostname: ID.slice(0, 12) }), [ID.slice(0, 12)]);
});

test('an agent on the node itself is in none of the containers that it sees mounted', async (t) => {
  const mountinfo = [
    `30 20 0:50 / /var/lib/docker/overlay2/${ID}/merged rw - overlay overlay rw`,
    `31 20 0:51 / /var/lib/docker/containers/${OTHER}/mounts/shm rw - tmpfs shm rw`,
    `32 20 8:1 /var/lib/docker/containers/${ID}/mounts/secrets /srv/debug rw - ext4 /dev/sda1 rw`,
    '33 20 8:1 / / rw - ext4 /dev/sda1 rw',
  ].join('\n');

  assert.deepEqual(await idsOf(t, { cgroup: '0::/system.slice/muster-agent.service\n', mountinfo }), []);
  assert.deepEqual(await readOwnIds({ proc: '/nonexistent', hostname: 'gateway' }), []);
});

test('a container is the agent’s own by its whole id or the beginning of it', () => {
  assert.equal(isOwn(ID, [OTHER, ID]), true);
  assert.equal(isOwn(ID, [ID.slice(0, 12)]), true);
  assert.equal(isOwn(ID, [OTHER]), false);
  assert.equal(isOwn(ID, []), false);
});
