import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { engineDirectory } from './enclosure.js';
import { environmentOf, unpackPackages } from './packages.js';
import { startRealEngine } from './real.js';
import type { EngineTarget } from './target.js';

const PACKAGES = [
  'podman',
  'conmon',
  'runc',
  'libgpgme11',
  'libassuan0',
  'libsubid4',
  'libseccomp2',
  'tini',
  'busybox-static',
];

/** Debian's Podman as a service, with all of its files in a directory of its own, and no network. */
export async function startPodman(): Promise<EngineTarget | string> {
  const unpacked = unpackPackages('podman', PACKAGES);
  if (typeof unpacked === 'string') return unpacked;
  const { root } = unpacked;
  const directory = engineDirectory('podman');
  const socket = join(directory, 'podman.sock');
  const [containers, storage] = [join(directory, 'containers.conf'), join(directory, 'storage.conf')];
  writeFileSync(containers, containersConf(root, directory));
  writeFileSync(
    storage,
    `[storage]\ndriver="vfs"\ngraphroot="${join(directory, 'graph')}"\nrunroot="${join(directory, 'run')}"\n`,
  );
  mkdirSync(join(directory, '.config/containers'), { recursive: true });
  writeFileSync(
    join(directory, '.config/containers/policy.json'),
    JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }),
  );
  return startRealEngine({
    ...{ root, directory, socket },
    command: [join(root, 'usr/bin/podman'), 'system', 'service', '--time=0', `unix://${socket}`],
    env: {
      ...{ ...environmentOf(root), HOME: directory, XDG_RUNTIME_DIR: directory },
      ...{ CONTAINERS_CONF: containers, CONTAINERS_STORAGE_CONF: storage, TMPDIR: directory },
    },
  });
}

/** Limits that a container inside of a container may have (of processes none: there cgroups may lack that), without systemd. */
function containersConf(root: string, directory: string): string {
  return `[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
netns = "none"
pids_limit = 0
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "${join(directory, 'tmp')}"
conmon_path = ["${join(root, 'usr/bin/conmon')}"]
[engine.runtimes]
runc = ["${join(root, 'usr/sbin/runc')}", "${join(root, 'usr/bin/runc')}"]
`;
}
