import { readFile } from 'node:fs/promises';

/** A mounted file system that holds data of its own. */
export type Mount = Readonly<{
  directory: string;
  type: string;
  source: string;
  /** It may stop answering when another machine does. */
  isRemote: boolean;
}>;

const MAX_MOUNTS = 64;

/** What the kernel makes up, and images that are always full. */
const PSEUDO = new Set(
  (
    'autofs bdev binder binfmt_misc bpf cgroup cgroup2 configfs debugfs devfs devpts devtmpfs efivarfs erofs ' +
    'fusectl fuse.lxcfs fuse.portal hugetlbfs iso9660 mqueue nsfs pipefs proc pstore ramfs rpc_pipefs securityfs ' +
    'selinuxfs smackfs sockfs squashfs sysfs tracefs'
  ).split(' '),
);
const REMOTE = /^(9p|afs|ceph|cifs|fuse(\..*)?|glusterfs|lustre|ncpfs|nfs\d*|smb\d*|virtiofs)$/;
const BELOW_KERNEL = /^\/(dev|proc|sys|run\/(credentials|user))(\/|$)/;

/**
 * The file systems of a node, each once, from the text of /proc/self/mountinfo. What is mounted over hides what was
 * mounted there before; what is mounted in several places is listed at the first.
 */
export async function listMounts(mountinfo: string): Promise<Mount[]> {
  const byDirectory = new Map<string, Mount & { device: string }>();
  for (const line of (await readFile(mountinfo, 'utf8')).split('\n')) {
    const mount = toMount(line);
    if (mount !== undefined) byDirectory.set(mount.directory, mount);
  }
  const byDevice = new Map<string, Mount>();
  for (const { device, ...mount } of byDirectory.values()) {
    const isData = !PSEUDO.has(mount.type) && !BELOW_KERNEL.test(mount.directory);
    if (isData && !byDevice.has(device)) byDevice.set(device, mount);
  }
  return [...byDevice.values()].slice(0, MAX_MOUNTS);
}

/** proc_pid_mountinfo(5): id, parent, device, root, mount point, options, optional fields, `-`, type, source. */
function toMount(line: string): (Mount & { device: string }) | undefined {
  const [before = '', after = ''] = line.split(' - ', 2);
  const [, , device, , directory] = before.split(' ');
  const [type, source = ''] = after.split(' ');
  if (device === undefined || directory === undefined || type === undefined || type === '') return undefined;
  return {
    device,
    directory: unescapeField(directory),
    type,
    source: unescapeField(source),
    isRemote: REMOTE.test(type),
  };
}

/** The kernel writes blank, tab, newline and backslash as `\ooo`. */
function unescapeField(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
