import type { StatsFs } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { z } from 'zod';
import { errnoOf } from '../../../runtime/errno.js';
import { within } from '../waiting.js';
import { listMounts, type Mount } from './mounts.js';

const ANSWER_MS = 1_000;

/** A file system and how full it is; the figures are null when it did not tell. */
export const Disk = z.object({
  directory: z.string().describe('Where it is mounted'),
  type: z.string(),
  source: z.string().describe('Block device, or the share of another machine'),
  size_bytes: z.number().nullable(),
  used_bytes: z.number().nullable(),
  available_bytes: z.number().nullable().describe('What programs without privileges may still write'),
  used_percent: z.number().nullable().describe('Of what such programs can use, as df shows it'),
  inodes: z.number().nullable(),
  inodes_free: z.number().nullable(),
  fault: z.string().nullable().describe('`no_answer`, or the error of the system, such as `EACCES`'),
});
export type Disk = Readonly<z.infer<typeof Disk>>;

/** How full the file systems of the node are. */
export type DiskReader = Readonly<{ read: () => Promise<Disk[]> }>;

/**
 * Asks each file system, and waits a second at most for each. One that never answers keeps one of the few threads of
 * the process, on which the journal needs to write, too. So local ones are asked first, others only as long as none
 * hangs, and nothing at all while two do; until they answer, the others are told as `no_answer`.
 */
export function createDiskReader({
  mountinfo = '/proc/self/mountinfo',
  ask = statfs,
}: {
  mountinfo?: string;
  ask?: (directory: string) => Promise<StatsFs>;
} = {}): DiskReader {
  const hanging = new Set<string>();

  const readOne = async (mount: Mount): Promise<Disk> => {
    const { directory, isRemote } = mount;
    const isSafe = !hanging.has(directory) && hanging.size < (isRemote ? 1 : 2);
    if (!isSafe) return toDisk(mount, undefined, 'no_answer');
    hanging.add(directory);
    const asked = ask(directory).then(
      (stats) => toDisk(mount, stats, null),
      (error: unknown) => toDisk(mount, undefined, errnoOf(error) ?? 'unknown'),
    );
    void asked.then(() => hanging.delete(directory));
    return (await within(asked, ANSWER_MS)) ?? toDisk(mount, undefined, 'no_answer');
  };

  return {
    async read() {
      const mounts = await listMounts(mountinfo);
      const disks: Disk[] = [];
      for (const mount of mounts.toSorted((a, b) => Number(a.isRemote) - Number(b.isRemote))) {
        disks.push(await readOne(mount));
      }
      return disks.filter(({ size_bytes }) => size_bytes !== 0);
    },
  };
}

function toDisk({ directory, type, source }: Mount, stats: StatsFs | undefined, fault: string | null): Disk {
  const place = { directory, type, source, fault };
  if (stats === undefined) {
    const unknown = { size_bytes: null, used_bytes: null, available_bytes: null, used_percent: null };
    return { ...place, ...unknown, inodes: null, inodes_free: null };
  }
  const { bsize, blocks, bfree, bavail, files, ffree } = stats;
  const used = blocks - bfree;
  const usable = used + bavail;
  return {
    ...place,
    size_bytes: blocks * bsize,
    used_bytes: used * bsize,
    available_bytes: bavail * bsize,
    used_percent: usable === 0 ? null : Math.round((used / usable) * 1000) / 10,
    inodes: files,
    inodes_free: ffree,
  };
}
