import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { findCommand } from '../commands.js';
import { engineDirectory, lacksEnclosure, removeDirectory } from './enclosure.js';

const DOWNLOAD_MS = 240_000;

/**
 * The directory into which these Debian packages are unpacked, without installing anything: their programs are then started
 * from there. Kept below the user's cache from one run to the next. A sentence says why it could not be done.
 */
export function unpackPackages(name: string, packages: readonly string[]): Readonly<{ root: string }> | string {
  const lacking = lacksEnclosure();
  if (lacking !== undefined) return lacking;
  if (process.env.MUSTER_TEST_INSTALL === 'no') return 'MUSTER_TEST_INSTALL=no';
  for (const program of ['apt-get', 'dpkg'])
    if (findCommand(program) === undefined) return `${program} is not installed`;
  const cache = testCache();
  const kind = createHash('sha256').update(packages.join(' ')).digest('hex').slice(0, 8);
  const root = join(cache, `${name}-${kind}`);
  if (existsSync(root)) return { root };
  const unpacking = engineDirectory(name, cache);
  const debs = join(unpacking, 'debs');
  mkdirSync(debs, { recursive: true });
  try {
    const download = (): boolean => run('apt-get', ['-qq', 'download', ...packages], debs);
    if (!download() && !(run('apt-get', ['-qq', 'update'], debs) && download())) return `${name} cannot be downloaded`;
    for (const deb of readdirSync(debs)) {
      if (!run('dpkg', ['-x', join(debs, deb), unpacking], debs)) return `${deb} cannot be unpacked`;
    }
    rmSync(debs, { recursive: true });
    if (!existsSync(root)) renameSync(unpacking, root); // another test may have been quicker
    return { root };
  } finally {
    removeDirectory(unpacking);
  }
}

/** Where tests keep from one run to the next what takes long to make. */
export function testCache(): string {
  const directory = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'muster-test-engines');
  mkdirSync(directory, { recursive: true });
  return directory;
}

/** PATH and library path for the programs below this directory. */
export function environmentOf(root: string): { PATH: string; LD_LIBRARY_PATH: string } {
  const bins = ['usr/sbin', 'usr/bin', 'sbin', 'bin'].map((directory) => join(root, directory));
  const triplet = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;
  const libraries = ['usr/lib', 'lib'].map((directory) => join(root, directory, triplet));
  return { PATH: [...bins, process.env.PATH ?? ''].join(':'), LD_LIBRARY_PATH: libraries.join(':') };
}

function run(file: string, args: readonly string[], cwd: string): boolean {
  return spawnSync(file, args, { cwd, stdio: 'ignore', timeout: DOWNLOAD_MS }).status === 0;
}
