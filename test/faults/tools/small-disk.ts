import { closeSync, fsyncSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { errnoOf } from '../../../runtime/errno.js';

/** A small file system in memory that can be filled to its last byte. */
export type SmallDisk = Readonly<{
  path: string;
  /** Takes all room that is left. */
  fill: () => void;
  /** Gives it back. */
  free: () => void;
  remove: () => Promise<void>;
}>;

const BLOCK = Buffer.alloc(64 * 1024, 0x2e);

/** Why this machine can have no such disk; undefined when it can. */
export function lacksSmallDisk(): string | undefined {
  return process.platform === 'linux' && process.getuid?.() === 0 ? undefined : 'a small disk needs root on Linux';
}

export async function createSmallDisk({ path, megabytes }: { path: string; megabytes: number }): Promise<SmallDisk> {
  mkdirSync(path, { recursive: true });
  await execa('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path]);
  const ballast = join(path, 'ballast');
  return {
    path,
    fill() {
      const descriptor = openSync(ballast, 'a', 0o600);
      try {
        // Small pieces at the end: a write of the last page is refused whole when it does not fit.
        for (let size = BLOCK.length; size >= 1; ) if (!isWritten(descriptor, size)) size = Math.floor(size / 2);
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      if (statfsSync(path).bavail > 0) throw new Error(`${path} is not full`);
    },
    free: () => rmSync(ballast, { force: true }),
    remove: async () => void (await execa('umount', ['--lazy', path])),
  };
}

function isWritten(descriptor: number, size: number): boolean {
  try {
    return writeSync(descriptor, BLOCK, 0, size) > 0;
  } catch (error) {
    if (errnoOf(error) === 'ENOSPC') return false;
    throw error;
  }
}
