import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { engineDirectory, removeDirectory } from '../engines/enclosure.js';
import { testCache, unpackPackages } from '../engines/packages.js';

const SUITE = 'bookworm';
const MIRROR = 'http://deb.debian.org/debian';
/** systemd and what people of a machine speak to it with: logind, which reboots, and polkit, which is asked whether it may. */
const PACKAGES = ['systemd', 'systemd-sysv', 'libpam-systemd', 'dbus', 'polkitd'];
const BUILD_MS = 900_000;

/**
 * The file system of a small Debian with systemd, as a tar file of 250 MB. It is made once, which takes some minutes, and
 * kept in the cache of the tests. A sentence says why it could not be made.
 */
export function systemdImage(): Readonly<{ file: string }> | string {
  const unpacked = unpackPackages('debootstrap', ['debootstrap']);
  if (typeof unpacked === 'string') return unpacked;
  const cache = testCache();
  const file = join(cache, `${SUITE}-systemd.tar`);
  if (existsSync(file)) return { file };
  const directory = engineDirectory('image', cache);
  const root = join(directory, 'root');
  mkdirSync(root);
  try {
    // In a mount namespace of its own: what it mounts below the root does not stay.
    const made = run('unshare', ['--mount', 'sh', join(unpacked.root, 'usr/sbin/debootstrap'), ...wanted(root)], {
      DEBOOTSTRAP_DIR: join(unpacked.root, 'usr/share/debootstrap'),
    });
    if (!made) return `debootstrap could not make a ${SUITE} from ${MIRROR}`;
    const packed = join(directory, 'image.tar');
    if (!run('tar', ['-C', root, '-cf', packed, '.'])) return 'the file system could not be packed';
    renameSync(packed, file);
    return { file };
  } finally {
    removeDirectory(directory);
  }
}

function wanted(root: string): string[] {
  return ['--variant=minbase', `--include=${PACKAGES.join(',')}`, SUITE, root, MIRROR];
}

function run(file: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): boolean {
  const { status } = spawnSync(file, args, { stdio: 'ignore', timeout: BUILD_MS, env: { ...process.env, ...env } });
  return status === 0;
}
