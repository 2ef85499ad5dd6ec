import { readdir, readFile } from 'node:fs/promises';
import type { Isolation } from './isolation.js';

/** A process may fork while the others are looked for; each round finds what the one before let through. */
const MAX_ROUNDS = 10;

/** Encloses by process group, and finds what has left the group by the marker in its environment (Linux). */
export function createProcessGroupIsolation(): Isolation {
  return {
    limit: 'process_group',
    enclose: (marker) => ({
      start: (spawn) => spawn(),
      isEmpty: (leader) => !signalGroup(leader, 0),
      async kill(leader) {
        signalGroup(leader, 'SIGKILL');
        if (marker !== undefined) await killMarked(marker);
      },
      release: async () => {},
    }),
  };
}

/** Sends a signal to a process group; 0 only asks. False when there is nobody in it. */
export function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  return signalProcess(-leader, signal);
}

/** Sends a signal to a process, or to a group when the pid is negative. False when there is nobody. */
export function signalProcess(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false; // ESRCH: it has ended; EPERM: it has become somebody else's, and we can do nothing
  }
}

async function killMarked(marker: string): Promise<void> {
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const pids = await findMarked(marker);
    for (const pid of pids) signalProcess(pid, 'SIGKILL');
    if (pids.length === 0) return;
  }
}

async function findMarked(marker: string): Promise<number[]> {
  const names = await readdir('/proc').catch(() => []);
  const pids = names.map(Number).filter((pid) => Number.isInteger(pid) && pid !== process.pid);
  const hasMarker = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
      return environment.split('\0').includes(marker);
    }),
  );
  return pids.filter((_, index) => hasMarker[index]);
}
