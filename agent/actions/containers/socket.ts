import { lstatSync } from 'node:fs';
import { join } from 'node:path';

/** Docker, Podman as root, and either of them under a user of its own. */
export function usualSockets({ uid, runtimeDir }: { uid: number; runtimeDir: string | undefined }): string[] {
  const own = runtimeDir ?? `/run/user/${uid}`;
  return [
    '/var/run/docker.sock',
    '/run/podman/podman.sock',
    join(own, 'docker.sock'),
    join(own, 'podman', 'podman.sock'),
  ];
}

/**
 * The socket on which a container engine is asked: the one that is set, whether it is there or not, else the first of the
 * usual ones that is there. Undefined when there is none, and when the setting is `off`.
 */
export function findSocket(setting: string, usual: readonly string[]): string | undefined {
  if (setting === 'off') return undefined;
  return setting === '' ? usual.find(isThere) : setting;
}

function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false; // also when a directory on the way is closed to us: whoever wants that one names it
  }
}
