import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { errnoOf } from '../../runtime/errno.js';
import type { Logger } from '../../runtime/logger.js';
import { emptyCgroup, pidNamespace } from './cgroup.js';
import type { Enclosure, Isolation } from './isolation.js';
import { killMarked, readProcess, signalGroup } from './process-group.js';
import { waitUntil } from './waiting.js';

/** A killed process is gone at once, unless it sleeps uninterruptibly. */
const KILL_WAIT_MS = 1_000;

/** Where an execution's processes were to be found: written before there are any. */
const Place = z.object({
  boot_id: z.string(),
  pid_namespace: z.string(),
  marker: z.array(z.string()).optional(),
  cgroup: z.string().optional(),
});
/** Its first process: written as soon as it is there. `start_time` is field 22 of /proc/{pid}/stat. */
const Leader = z.object({ pid: z.int().min(2), start_time: z.string() });

/**
 * Remembers what runs, so that the next agent process can end what this one leaves behind: it may be killed, and with
 * it whoever should have ended its children. Nothing here is synced: what a power cut takes from the disk it has taken
 * from the machine as well, which the boot id tells.
 */
export type Leftovers = Readonly<{
  /** Ends what earlier processes left, and forgets it. Call it before anything is started. */
  end: () => Promise<void>;
  /** The same isolation, whose executions are remembered while they run. */
  remember: (isolation: Isolation) => Isolation;
}>;

/** `directory` belongs to one agent at a time. `bootId` is the kernel's. */
export function createLeftovers({
  directory,
  bootId,
  log,
}: {
  directory: string;
  bootId: string;
  log: Logger;
}): Leftovers {
  const here = { boot_id: bootId, pid_namespace: pidNamespace() };
  let count = 0;

  async function endOne(file: string): Promise<void> {
    const [place, leader] = readLines(file);
    const found = Place.safeParse(place);
    const first = Leader.safeParse(leader);
    if (!found.success) return;
    const { boot_id, pid_namespace, cgroup, marker } = found.data;
    // Of another boot nobody is left; in another namespace these pids mean nothing.
    if (boot_id !== here.boot_id || pid_namespace !== here.pid_namespace) return;
    const wasAlive = first.success && (await endGroup(first.data));
    if (cgroup !== undefined && !(await emptyCgroup(cgroup))) log.warn('cgroup of an earlier agent not emptied');
    const marked = marker === undefined || marker.length === 0 ? 0 : await killMarked(marker);
    if (wasAlive || marked > 0) log.warn({ marked }, 'processes of an earlier agent were ended');
  }

  return {
    async end() {
      for (const name of namesIn(directory)) {
        const file = join(directory, name);
        await endOne(file);
        forget(file);
      }
    },
    remember: (isolation) => ({
      ...isolation,
      async enclose(marker) {
        const enclosure = await isolation.enclose(marker);
        count += 1;
        const file = join(directory, String(count));
        try {
          mkdirSync(directory, { recursive: true, mode: 0o700 });
          appendLine(file, { ...here, marker, cgroup: enclosure.cgroup });
        } catch (error) {
          await enclosure.release();
          throw error; // a disk that is full, say: what could not be ended later is not started
        }
        return rememberIn(file, enclosure);
      },
    }),
  };
}

function rememberIn(file: string, enclosure: Enclosure): Enclosure {
  return {
    ...enclosure,
    start(spawn) {
      const child = enclosure.start(spawn);
      const startTime = child.pid === undefined ? undefined : readProcess(child.pid)?.startTime;
      if (startTime !== undefined) tryAppend(file, { pid: child.pid, start_time: startTime });
      return child;
    },
    async release() {
      await enclosure.release();
      forget(file);
    },
  };
}

/** Kills the group of a process, unless its pid has become somebody else's. True when it was alive. */
async function endGroup({ pid, start_time }: z.infer<typeof Leader>): Promise<boolean> {
  const isAlive = (): boolean => readProcess(pid)?.startTime === start_time;
  if (!isAlive()) return false;
  signalGroup(pid, 'SIGKILL');
  await waitUntil(() => !isAlive(), KILL_WAIT_MS);
  return true;
}

function appendLine(file: string, line: Readonly<Record<string, unknown>>): void {
  appendFileSync(file, `${JSON.stringify(line)}\n`, { mode: 0o600 });
}

/** What stays behind is looked at, and found to be over, at the next start. */
function forget(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}

/** The program runs already, and its place is known: that has to do. */
function tryAppend(file: string, line: Readonly<Record<string, unknown>>): void {
  try {
    appendLine(file, line);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}

/** A line that was cut off by a kill is none. */
function readLines(file: string): unknown[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return [];
      }
    });
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
