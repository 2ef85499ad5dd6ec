import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { findCommand, runCommand } from '../../support/commands.js';

/** A system call to die at: the `nth` of its kind that one thread makes. */
export type CrashPoint = Readonly<{ call: string; nth: number }>;

/** System calls around which a crash may leave something half done. */
export const CALLS = [
  ...['openat', 'write', 'pwrite64', 'fdatasync', 'fsync', 'rename', 'unlink', 'unlinkat', 'rmdir', 'mkdir'],
  ...['ftruncate', 'clone', 'clone3', 'vfork', 'execve', 'sendto', 'sendmsg', 'writev', 'kill'],
] as const;

/** Why crash points cannot be set on this machine; undefined when they can. */
export async function lacksStrace(): Promise<string | undefined> {
  const file = findCommand('strace');
  if (file === undefined) return 'strace is not installed';
  const { exitCode } = await runCommand(file, ['-f', '-o', '/dev/null', '-e', 'trace=none', 'true']);
  return exitCode === 0 ? undefined : 'strace may not trace here';
}

/**
 * Runs a program so that it is killed when it enters the crash point. Every call is traced, however slow: with
 * `--seccomp-bpf` strace 6.1 never comes to count beyond the first. The tracer stands beside the program, not before
 * it: it stays for as long as a hook lives, and the end of the program is to be seen when it comes.
 */
export function dieAt(point: CrashPoint, traceFile: string): (argv: readonly string[]) => readonly string[] {
  return (argv) => ['strace', '-D', '-f', '-ttt', '-o', traceFile, ...killing(point), ...argv];
}

/** Runs a program and writes down which of the calls each thread makes. */
export function watchCalls(traceFile: string): (argv: readonly string[]) => readonly string[] {
  return (argv) => ['strace', '-f', '--seccomp-bpf', '-o', traceFile, '-e', `trace=${CALLS.join()}`, ...argv];
}

/** Kills a running process when it enters the crash point, or only watches; resolves when it is traced. */
export async function attach(
  pid: number,
  { point, traceFile }: { point?: CrashPoint; traceFile: string },
): Promise<{ detach: () => Promise<void> }> {
  const expression = point === undefined ? ['-e', `trace=${CALLS.join()}`] : killing(point);
  const tracer = spawn('strace', ['-f', '-ttt', '-p', String(pid), '-o', traceFile, ...expression], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => tracer.once('exit', () => resolve()));
  await untilAttached(tracer);
  return {
    async detach() {
      tracer.kill('SIGINT'); // strace lets go of its threads
      await ended;
    },
  };
}

/** Whether anything was killed that this trace tells of. */
export function hasKilled(traceFile: string): boolean {
  return readFileSync(traceFile, 'utf8').includes('+++ killed by SIGKILL +++');
}

const ATTACH_MS = 30_000;

async function untilAttached(tracer: ChildProcess): Promise<void> {
  let said = '';
  tracer.stderr?.setEncoding('utf8');
  while (!said.includes('attached')) {
    const [text] = await once(tracer.stderr ?? tracer, 'data', { signal: AbortSignal.timeout(ATTACH_MS) });
    said += String(text);
  }
  tracer.stderr?.resume();
}

function killing({ call, nth }: CrashPoint): string[] {
  return ['-e', `trace=${call}`, '-e', `inject=${call}:signal=SIGKILL:when=${nth}`];
}

const CALL = /^(\d+) +(?:[\d.]+ +)?([a-z0-9_]+)\(/;

/**
 * The crash points that a trace offers: each call that one of these threads makes from the line on that holds `from`.
 * Trace lines look like `1234 1795273661.170735 openat(AT_FDCWD, "/etc/hosts", O_RDONLY) = 3`, the time left out or not.
 */
export function crashPointsIn(
  trace: string,
  { threads, from = '' }: { threads: readonly number[]; from?: string },
): CrashPoint[] {
  const counts = new Map<string, number>();
  const points = new Map<string, CrashPoint>();
  let isIn = false;
  for (const line of trace.split('\n')) {
    isIn ||= line.includes(from);
    const [, thread, call] = CALL.exec(line) ?? [];
    if (thread === undefined || call === undefined || !threads.includes(Number(thread))) continue;
    const nth = (counts.get(`${thread} ${call}`) ?? 0) + 1;
    counts.set(`${thread} ${call}`, nth);
    if (isIn) points.set(`${call} ${nth}`, { call, nth });
  }
  return [...points.values()];
}

/**
 * Chooses points so that every kind of call has its turn while it has any left; no point comes twice before each has come
 * once.
 */
export function choosePoints(points: readonly CrashPoint[], count: number, random: () => number): CrashPoint[] {
  const chosen: CrashPoint[] = [];
  let pools: CrashPoint[][] = [];
  while (chosen.length < count && points.length > 0) {
    pools = pools.filter((pool) => pool.length > 0);
    if (pools.length === 0) pools = poolsByCall(points);
    for (const pool of pools) {
      const [point] = pool.splice(Math.floor(random() * pool.length), 1);
      if (point !== undefined && chosen.length < count) chosen.push(point);
    }
  }
  return chosen;
}

function poolsByCall(points: readonly CrashPoint[]): CrashPoint[][] {
  const pools = new Map<string, CrashPoint[]>();
  for (const point of points) pools.set(point.call, [...(pools.get(point.call) ?? []), point]);
  return [...pools.values()];
}
