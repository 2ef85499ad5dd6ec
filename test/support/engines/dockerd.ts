import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { engineDirectory } from './enclosure.js';
import { environmentOf, unpackPackages } from './packages.js';
import { startRealEngine } from './real.js';
import type { EngineTarget } from './target.js';

const PACKAGES = ['docker.io', 'containerd', 'runc', 'tini', 'libdevmapper1.02.1', 'libseccomp2', 'busybox-static'];

/** A dockerd, and the program that people speak to it with. */
export type Dockerd = EngineTarget & Readonly<{ cli: string }>;

/** Debian's dockerd with all of its files in a directory of its own, and no network; a sentence says why there is none. */
export async function startDockerd(): Promise<Dockerd | string> {
  const unpacked = unpackPackages('dockerd', PACKAGES);
  if (typeof unpacked === 'string') return unpacked;
  const { root } = unpacked;
  const directory = engineDirectory('dockerd');
  const socket = join(directory, 'docker.sock');
  const config = join(directory, 'config.json');
  writeFileSync(
    config,
    JSON.stringify({
      ...{
        'data-root': join(directory, 'data'),
        'exec-root': join(directory, 'exec'),
        pidfile: join(directory, 'pid'),
      },
      ...{ hosts: [`unix://${socket}`], bridge: 'none', iptables: false, ip6tables: false, 'storage-driver': 'vfs' },
    }),
  );
  const engine = await startRealEngine({
    ...{ root, directory, socket },
    command: [join(root, 'usr/sbin/dockerd'), '--config-file', config],
    env: { ...environmentOf(root), HOME: directory },
  });
  return { ...engine, cli: join(root, 'usr/bin/docker') };
}
