import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { execa } from 'execa';

/** A disk of its own in an image file, whose power can be cut. */
export type LoopDisk = Readonly<{
  /** Where it is mounted. */
  path: string;
  /** Brings everything to the disk that is on it so far, whoever wrote it. */
  sync: () => Promise<void>;
  /** As a power cut: what no sync has brought to the disk is gone, and every call fails from now on. */
  cut: () => Promise<void>;
  /** Mounts it again after a cut; nothing may have a file of it open. The log of the file system is replayed. */
  powerOn: () => Promise<void>;
  /** Ends it, and removes its image. */
  remove: () => Promise<void>;
}>;

const IMAGE_BYTES = 48 * 1024 * 1024;
/** `FS_IOC_SHUTDOWN` of linux/fs.h with `EXT4_GOING_FLAGS_NOLOGFLUSH`. Perl is on every Debian, a compiler is not. */
const CUT = 'open(my $d, "<", $ARGV[0]) or die $!; my $f = pack("L", 2); ioctl($d, 0x8004587d, $f) or die $!;';

/** Why this machine can have no such disk; undefined when it can. */
export async function lacksLoopDisk(): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'a disk of its own needs root on Linux';
  for (const command of ['mkfs.ext4', 'mount', 'umount', 'perl', 'losetup']) {
    const { failed } = await run('sh', ['-c', `command -v ${command}`], { reject: false });
    if (failed) return `a disk of its own needs ${command}`;
  }
  const { failed } = await run('losetup', ['--find'], { reject: false });
  return failed ? 'there is no free loop device' : undefined;
}

/**
 * Makes an ext4 disk of 48 MiB, or so many bytes, in `image` and mounts it at `path`. Its log is written only by syncs and every five
 * seconds, as on any machine.
 */
export async function createLoopDisk({
  image,
  path,
  bytes = IMAGE_BYTES,
}: {
  image: string;
  path: string;
  bytes?: number;
}): Promise<LoopDisk> {
  writeFileSync(image, '');
  truncateSync(image, bytes);
  await run('mkfs.ext4', ['-q', '-F', '-J', 'size=4', '-E', 'lazy_itable_init=0,lazy_journal_init=0', image]);
  mkdirSync(path, { recursive: true });
  let mounted: string | undefined;
  let cuts = 0;

  async function mount(from: string): Promise<void> {
    await run('mount', ['-o', 'loop', from, path]);
    mounted = from;
  }

  /** Lazily: a process in a mount namespace of its own may keep the old disk for a while. */
  async function unmount(): Promise<void> {
    if (mounted === undefined) return;
    await run('umount', ['--lazy', path]);
    rmSync(mounted, { force: true });
    mounted = undefined;
  }

  const afterCut = (): string => `${image}-${cuts}`;
  await mount(image);
  return {
    path,
    async sync() {
      await run('sync', ['--file-system', path]);
    },
    async cut() {
      await run('perl', ['-e', CUT, path]);
      cuts += 1;
      // What has reached the image by now is what the disk holds; the next one begins with it.
      await run('cp', ['--sparse=always', mounted ?? image, afterCut()]);
    },
    async powerOn() {
      await unmount();
      await mount(afterCut());
    },
    remove: unmount,
  };
}

function run(
  file: string,
  args: readonly string[],
  { reject = true } = {},
): Promise<{ failed: boolean; stderr: string }> {
  const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
  return execa(file, args, { reject, stdin: 'ignore', env: { PATH }, timeout: 60_000 });
}
