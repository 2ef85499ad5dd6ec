import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const ID = '[0-9a-f]{64}';
/** `/docker/ID`, `/system.slice/docker-ID.scope`, `/machine.slice/libpod-ID.scope/container`, `/kubepods/…/ID`. */
const IN_CGROUP = new RegExp(`[/-](${ID})(?=\\.scope|/|$)`, 'gm');
/** Engines mount these from a directory of the container; the file system of the node shows those of all containers. */
const OWN_FILES: ReadonlySet<string> = new Set([
  '/etc/hostname',
  '/etc/hosts',
  '/etc/resolv.conf',
  '/run/.containerenv',
]);
const IN_ROOT = new RegExp(`/(${ID})/`, 'g');
/** An engine calls a container by the beginning of its id unless it is told otherwise. */
const SHORT_ID = /^[0-9a-f]{12}$/;

/**
 * The ids of the containers that this process runs in, whole or the first 12 digits: from its cgroup, from what is mounted
 * over its files, and from its host name. Empty on the node itself. `proc` is the directory of the process below /proc.
 */
export async function readOwnIds({ proc, hostname }: { proc: string; hostname: string }): Promise<string[]> {
  const [cgroup, mounts] = await Promise.all([readText(join(proc, 'cgroup')), readText(join(proc, 'mountinfo'))]);
  const ids = [...cgroup.matchAll(IN_CGROUP)].map(([, id = '']) => id);
  for (const line of mounts.split('\n')) {
    const [, , , root = '', mountPoint = ''] = line.split(' ');
    if (OWN_FILES.has(mountPoint)) ids.push(...[...root.matchAll(IN_ROOT)].map(([, id = '']) => id));
  }
  return [...new Set([...ids, ...(SHORT_ID.test(hostname) ? [hostname] : [])])];
}

/** Whether the agent would end with this container. */
export function isOwn(id: string, ownIds: readonly string[]): boolean {
  return ownIds.some((own) => id.startsWith(own));
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    return ''; // no Linux, or a /proc that hides it
  }
}
