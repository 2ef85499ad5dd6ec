import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { errnoOf } from '../../runtime/errno.js';
import type { Logger } from '../../runtime/logger.js';
import type { Enclosure, Isolation } from './isolation.js';
import { readProcess, signalGroup, signalProcess } from './process-group.js';

/** Directories of ours are `muster-{pid namespace}-{pid of the agent}-{its start time}-{n}`. */
const OWN_NAME = /^muster-(\d+)-(\d+)-(\d+)-\d+$/;

/** The kernel empties a killed cgroup within milliseconds; a process in uninterruptible sleep may take longer. */
const RELEASE_TRIES = 50;
const RELEASE_PAUSE_MS = 20;

/** The agent's own cgroup v2 directory, when it may make children there and move processes; else undefined. */
export function findCgroup(log: Logger): string | undefined {
  try {
    const base = ownDirectory(readFileSync('/proc/self/mountinfo', 'utf8'), readFileSync('/proc/self/cgroup', 'utf8'));
    if (base === undefined) return undefined;
    const probe = join(base, directoryName(0));
    mkdirSync(probe);
    try {
      enter(probe);
      enter(base);
    } finally {
      rmdirSync(probe);
    }
    return base;
  } catch (err) {
    log.debug({ errno: errnoOf(err) }, 'cgroup cannot be used');
    return undefined;
  }
}

/** Where the process is in the cgroup v2 tree, from /proc/self/mountinfo and /proc/self/cgroup (man 7 cgroups). */
export function ownDirectory(mountinfo: string, cgroup: string): string | undefined {
  const path = /^0::(\/.*)$/m.exec(cgroup)?.[1];
  const mount = mountinfo.split('\n').find((line) => line.includes(' - cgroup2 '));
  const [, , , root, point] = mount?.split(' ') ?? [];
  if (path === undefined || root === undefined || point === undefined || path.startsWith('/..')) return undefined;
  if (root === '/') return join(point, path);
  return path === root || path.startsWith(`${root}/`) ? join(point, path.slice(root.length)) : undefined;
}

/** Encloses in a cgroup of its own below `base`: what is inside cannot leave, whatever it does. */
export function createCgroupIsolation({ base, log }: { base: string; log: Logger }): Isolation {
  let count = 0;
  sweep(base);
  return {
    limit: 'cgroup',
    async enclose() {
      let directory: string;
      do {
        count += 1;
        directory = join(base, directoryName(count));
      } while (!isMade(directory));
      return encloseIn({ directory, base, log });
    },
  };
}

/** False when it is there already: another agent of this process has it. */
function isMade(directory: string): boolean {
  try {
    mkdirSync(directory);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function encloseIn({ directory, base, log }: { directory: string; base: string; log: Logger }): Enclosure {
  let leader: number | undefined;
  return {
    cgroup: directory,
    endsWithAgent: false,
    lead: (command) => command,
    start(spawn) {
      // A child is born in the cgroup of its parent, so the agent goes in for the time of the fork: nothing the child
      // does can then be too early. Moving the child afterwards would miss what it has forked by then.
      enter(directory);
      try {
        const child = spawn();
        leader = child.pid;
        return child;
      } finally {
        enter(base);
      }
    },
    terminate() {
      if (leader !== undefined) signalGroup(leader, 'SIGTERM');
    },
    isEmpty: () => pidsIn(directory).length === 0,
    kill: async () => killAll(directory),
    async release() {
      if (!(await emptyCgroup(directory))) log.warn('cgroup could not be emptied');
    },
  };
}

/** Kills what is in a cgroup and removes it. False when somebody inside does not die. */
export async function emptyCgroup(directory: string): Promise<boolean> {
  for (let tries = 0; tries < RELEASE_TRIES; tries += 1) {
    if (remove(directory)) return true;
    killAll(directory);
    await delay(RELEASE_PAUSE_MS);
  }
  return false;
}

/** Ends what earlier agents left behind. Only of our own pid namespace: elsewhere a pid says nothing. */
function sweep(base: string): void {
  const namespace = pidNamespace();
  for (const name of readdirSync(base)) {
    const [, owner, pid, startTime] = OWN_NAME.exec(name) ?? [];
    if (owner !== namespace || readProcess(Number(pid))?.startTime === startTime) continue;
    killAll(join(base, name));
    remove(join(base, name));
  }
}

function directoryName(count: number): string {
  return `muster-${pidNamespace()}-${process.pid}-${readProcess(process.pid)?.startTime ?? 0}-${count}`;
}

/** The inode that names the PID namespace of this process. */
export function pidNamespace(): string {
  return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0';
}

function enter(directory: string): void {
  writeFileSync(join(directory, 'cgroup.procs'), String(process.pid));
}

function pidsIn(directory: string): number[] {
  try {
    return readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** At once where the kernel can (Linux 5.14), else one by one; `release` then repeats it until nobody is left. */
function killAll(directory: string): void {
  const pids = pidsIn(directory);
  if (pids.length === 0) return;
  try {
    if (!pids.includes(process.pid)) writeFileSync(join(directory, 'cgroup.kill'), '1', { flag: 'r+' });
  } catch {
    // No such file: an older kernel. Whoever is still alive is killed below.
  }
  for (const pid of pids) if (pid !== process.pid) signalProcess(pid, 'SIGKILL');
}

function remove(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    return errnoOf(error) === 'ENOENT';
  }
}
