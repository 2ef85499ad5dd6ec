import { readdirSync, readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import type { Isolation } from './isolation.js';

/** A process may fork while the others are looked for; each round finds what the one before let through. */
const MAX_ROUNDS = 10;

/** Encloses by process group, and finds what has left the group by the marker in its environment (Linux). */
export function createProcessGroupIsolation(): Isolation {
  return {
    limit: 'process_group',
    async enclose(marker) {
      let leader: number | undefined;
      const signal = (which: NodeJS.Signals | 0): boolean => leader !== undefined && signalGroup(leader, which);
      return {
        lead: (command) => command,
        start(spawn) {
          const child = spawn();
          leader = child.pid;
          return child;
        },
        terminate: () => void signal('SIGTERM'),
        isEmpty: () => !signal(0),
        async kill() {
          signal('SIGKILL');
          if (marker !== undefined) await killMarked(marker);
        },
        endsWithAgent: false,
        release: async () => {},
      };
    },
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

/** SIGKILL to every process whose environment holds all these entries; gives how many there were. */
export async function killMarked(marker: readonly string[]): Promise<number> {
  const killed = new Set<number>();
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const pids = await findMarked(marker);
    for (const pid of pids) {
      signalProcess(pid, 'SIGKILL');
      killed.add(pid);
    }
    if (pids.length === 0) break;
  }
  return killed.size;
}

/** What /proc/{pid}/stat says of a process that lives; undefined when it has ended (man 5 proc). */
export function readProcess(pid: number): Readonly<{ group: number; startTime: string }> | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the name, in brackets, and may hold anything.
    const [state = '', , group, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const startTime = rest[16];
    if (startTime === undefined || 'ZX'.includes(state)) return undefined;
    return { group: Number(group), startTime };
  } catch {
    return undefined;
  }
}

/** The processes of a group. */
export function membersOf(group: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && readProcess(pid)?.group === group);
}

async function findMarked(marker: readonly string[]): Promise<number[]> {
  const names = await readdir('/proc').catch(() => []);
  const pids = names.map(Number).filter((pid) => Number.isInteger(pid) && pid !== process.pid);
  const hasMarker = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
      const entries = environment.split('\0');
      return marker.every((entry) => entries.includes(entry));
    }),
  );
  return pids.filter((_, index) => hasMarker[index]);
}
