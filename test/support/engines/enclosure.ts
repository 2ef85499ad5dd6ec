import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withDeadline } from '../../../runtime/deadline.js';
import { findCommand } from '../commands.js';

const PREFIX = 'muster-test-engine-';
const CGROUPS = '/sys/fs/cgroup';
const STOP_MS = 30_000;
/** Where engines speak to each other or keep what is theirs whatever they are told: a machine may have an engine of its own. */
const SHARED_PLACES = ['/run/containerd', '/run/docker', '/run/runc', '/dev/shm'];

/** The cgroup of all containers that the engines of this process make. */
export const ENGINE_CGROUP = `${PREFIX}${process.pid}`;

/** A program that is alone with what it has started; `stop` ends all of that. */
export type Enclosed = Readonly<{
  /** The newest of what it has printed. */
  said: () => string;
  hasEnded: () => boolean;
  stop: () => Promise<void>;
}>;

/** What an engine of our own misses on this machine; undefined when nothing. */
export function lacksEnclosure(): string | undefined {
  if (process.getuid?.() !== 0) return 'an engine of its own needs root';
  const missing = ['unshare', 'setpriv'].filter((name) => findCommand(name) === undefined);
  if (missing.length > 0) return `${missing.join(' and ')} not installed`;
  const { status } = spawnSync('unshare', ['--mount', '--pid', '--fork', '--mount-proc', 'true'], { stdio: 'ignore' });
  if (status !== 0) return 'an engine of its own needs the right to make namespaces';
  if (!hierarchies().some(isWritable)) return 'an engine of its own needs cgroups that it may make';
  return undefined;
}

/** A directory for the files of one engine. What processes that are gone have left of theirs is removed first. */
export function engineDirectory(name: string, parent = tmpdir()): string {
  for (const each of readdirSync(parent)) {
    if (isOfTheDead(each)) removeDirectory(join(parent, each));
  }
  removeCgroups(isOfTheDead);
  return mkdtempSync(join(parent, `${ENGINE_CGROUP}-${name}-`));
}

/**
 * Starts a program as the first process below `init` of namespaces of its own, for processes and mounts: however this
 * process ends, the kernel ends all that the program has started, and takes away what it has mounted. Where engines would
 * meet those of the machine, and of other tests, it sees empty directories.
 */
export function startEnclosed({ init, command, env, cwd }: EnclosedProgram): Enclosed {
  const alone = ['--pdeathsig', 'KILL', 'unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const hide = `${hideShared(cwd)} exec "$@"`;
  const child = spawn('setpriv', [...alone, 'sh', '-c', hide, 'sh', init, '--', ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...env },
    cwd,
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4000);
    });
  }
  child.on('error', (error) => {
    said += error.message;
  });
  return {
    said: () => said,
    hasEnded: () => hasEnded(child),
    stop: () => stop(child),
  };
}

/** A script; what the program itself works in stays to be seen. */
function hideShared(cwd: string): string {
  const places = SHARED_PLACES.filter((place) => !cwd.startsWith(`${place}/`));
  return places.map((place) => `mkdir -p ${place} && mount -t tmpfs none ${place} || exit 1;`).join(' ');
}

/** A program and what it is started with; `init` collects the orphans of the namespace. */
export type EnclosedProgram = Readonly<{
  init: string;
  command: readonly string[];
  env: Readonly<Record<string, string>>;
  cwd: string;
}>;

/** Removes the cgroups of this process; one that still holds a process stays. */
export function removeOwnCgroups(): void {
  removeCgroups((name) => name === ENGINE_CGROUP);
}

/** By the program for it: an image has thousands of files, for which Node takes a minute. */
export function removeDirectory(directory: string): void {
  spawnSync('rm', ['-rf', directory], { stdio: 'ignore' });
}

/** `unshare` returns only once the kernel has ended everything in the namespace of its child. */
async function stop(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const ended = once(child, 'exit');
  for (const pid of childrenOf(child.pid)) process.kill(pid, 'SIGKILL');
  await withDeadline(ended, STOP_MS, 'the end of an enclosed program').catch(() => child.kill('SIGKILL'));
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

function childrenOf(pid: number | undefined): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).filter(Boolean).map(Number);
  } catch {
    return []; // it has ended meanwhile
  }
}

/** `muster-test-engine-PID…` of a process that is gone. */
function isOfTheDead(name: string): boolean {
  const pid = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : Number.NaN;
  if (Number.isNaN(pid)) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

function removeCgroups(isMeant: (name: string) => boolean): void {
  for (const hierarchy of hierarchies()) {
    for (const name of readdirSync(hierarchy).filter(isMeant))
      spawnSync('find', [join(hierarchy, name), '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';'], {
        stdio: 'ignore',
      });
  }
}

/** The one hierarchy of cgroup v2, or each of those of v1. */
function hierarchies(): string[] {
  try {
    const isOne = readdirSync(CGROUPS).includes('cgroup.procs');
    if (isOne) return [CGROUPS];
    const entries = readdirSync(CGROUPS, { withFileTypes: true });
    return entries.filter((each) => each.isDirectory()).map(({ name }) => join(CGROUPS, name));
  } catch {
    return [];
  }
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    return true;
  } catch {
    return false; // mounted for reading alone
  }
}
