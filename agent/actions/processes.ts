import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { execa } from 'execa';
import { errnoOf } from '../../runtime/errno.js';
import type { Logger } from '../../runtime/logger.js';
import type { OutputSink } from './action.js';
import type { Command, Enclosure, Isolation } from './isolation.js';
import { startKeeper } from './keeper.js';
import { unlessAborted, waitUntil, within } from './waiting.js';

/** After SIGKILL a process is gone at once, unless it sleeps uninterruptibly in the kernel. */
const KILL_WAIT_MS = 1000;

/** How long output is still read when the first process has ended and others hold its pipes. */
const DRAIN_MS = 500;

/**
 * A file that was just written counts as busy (ETXTBSY) while a process forked meanwhile has yet to let go of its
 * descriptor, which it does as it executes. Pauses double from 1 ms to this: 1 s in all.
 */
const MAX_BUSY_PAUSE_MS = 512;

/** So much of stderr is looked at for why a program was not started. */
const MAX_COMPLAINT = 8192;

/** A program to start without a shell. `env` is all that it gets; nothing is inherited. */
export type Program = Readonly<{
  file: string;
  args: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  /** As whom it runs, without further groups, when the agent is root; as the agent when absent. */
  user?: Readonly<{ uid: number; gid: number }> | undefined;
  /** Milliseconds between SIGTERM and SIGKILL (P-42: 500 for hooks). */
  graceMs: number;
  /** Environment entries, `NAME=value`, that together only this execution has. */
  marker?: readonly string[];
  /** What it can read from descriptor 3, which it does not have otherwise. */
  fd3?: Uint8Array;
}>;

/**
 * How a program ended, or why it was not started: `ENOENT`, `EACCES`, `ECANCELED` when the signal came first, `ETIME`
 * when `mayStart` said no …
 */
export type ProgramEnd =
  | Readonly<{ kind: 'exited'; exitCode: number }>
  | Readonly<{ kind: 'signaled'; signal: NodeJS.Signals }>
  | Readonly<{ kind: 'not_started'; errno: string }>;

/** What a run needs from its surroundings. */
export type ProgramContext = Readonly<{
  signal: AbortSignal;
  output: OutputSink;
  isolation: Isolation;
  /** Asked right before each fork, which may be tried again; absent means yes. */
  mayStart?: (() => boolean) | undefined;
  /** Called right after the fork that succeeded. */
  launched?: (() => void) | undefined;
  /** Called at once when the program has ended and `signal` has not fired. */
  exited?: (() => void) | undefined;
  log: Logger;
}>;

/**
 * Runs a program in a process group of its own until it ends or `signal` fires; then the group gets SIGTERM, and
 * SIGKILL goes to all that is left after the grace. What it leaves behind when it ends by itself is killed too. It
 * never waits longer than the grace and 2 s for somebody who holds the pipes.
 */
export async function runProgram(program: Program, context: ProgramContext): Promise<ProgramEnd> {
  const { execa } = await import('execa'); // loaded with the first program: small devices count the memory
  if (context.signal.aborted) return { kind: 'not_started', errno: 'ECANCELED' };
  let enclosure: Enclosure;
  try {
    enclosure = await context.isolation.enclose(program.marker);
  } catch (error) {
    return toNotStarted(error);
  }
  try {
    return await runInside(enclosure, execa, { program, context });
  } finally {
    await enclosure.release();
  }
}

async function runInside(
  enclosure: Enclosure,
  start: typeof execa,
  { program, context }: { program: Program; context: ProgramContext },
): Promise<ProgramEnd> {
  const command = enclosure.lead(program);
  let launch = await launchInside(enclosure, () => fork(start, command, program), context);
  for (let pauseMs = 1; launch.kind === 'not_started' && launch.errno === 'ETXTBSY'; pauseMs *= 2) {
    if (pauseMs > MAX_BUSY_PAUSE_MS) break;
    await delay(pauseMs, undefined, { signal: context.signal }).catch(() => undefined); // the launch below says so
    launch = await launchInside(enclosure, () => fork(start, command, program), context);
  }
  if (launch.kind === 'not_started') return launch;
  const { child, leader } = launch;
  const kept = { leader, cgroup: enclosure.cgroup, marker: program.marker };
  const keeper = enclosure.endsWithAgent ? undefined : startKeeper(start, kept);
  try {
    return await accompany({ child, enclosure, graceMs: program.graceMs }, context);
  } finally {
    keeper?.dismiss();
  }
}

type Launch =
  | Extract<ProgramEnd, { kind: 'not_started' }>
  | Readonly<{ kind: 'launched'; child: ReturnType<typeof fork>; leader: number }>;

async function launchInside(
  enclosure: Enclosure,
  spawn: () => ReturnType<typeof fork>,
  { signal, mayStart, launched }: ProgramContext,
): Promise<Launch> {
  // From here to the fork nothing is waited for: what is judged now is what counts.
  if (signal.aborted) return { kind: 'not_started', errno: 'ECANCELED' };
  if (mayStart?.() === false) return { kind: 'not_started', errno: 'ETIME' };
  let child: ReturnType<typeof fork>;
  try {
    child = enclosure.start(spawn);
  } catch (error) {
    return toNotStarted(error);
  }
  if (child.pid !== undefined) {
    launched?.();
    return { kind: 'launched', child, leader: child.pid };
  }
  // ENOENT comes as an event, NUL or too much in the environment as an exception in spawn: execa makes both a result.
  return { kind: 'not_started', errno: (await child).code ?? 'unknown' };
}

function fork(start: typeof execa, { file, args, cwd }: Command, { env, user, fd3 }: Program) {
  return withPrivateUmask(() =>
    start(file, args, {
      reject: false,
      detached: true, // a process group of its own
      stdio: ['ignore', 'pipe', 'pipe', ...(fd3 === undefined ? [] : [fd3])],
      buffer: false,
      encoding: 'buffer',
      extendEnv: false,
      env: { ...env },
      cwd,
      ...user,
    }),
  );
}

/** @throws {unknown} what is no answer of the system */
function toNotStarted(error: unknown): Extract<ProgramEnd, { kind: 'not_started' }> {
  const errno = errnoOf(error);
  if (errno === undefined) throw error;
  return { kind: 'not_started', errno };
}

/** The part of a child process that is used once it runs. */
type Child = Readonly<{
  pid?: number | undefined;
  stdout: Readable;
  stderr: Readable;
  once: (event: 'exit', listener: (exitCode: number | null, signal: NodeJS.Signals | null) => void) => unknown;
}>;

/** From the start of a process to the end of all that came of it. */
async function accompany(
  { child, enclosure, graceMs }: { child: Child; enclosure: Enclosure; graceMs: number },
  { signal, output, log, exited: tell }: ProgramContext,
): Promise<ProgramEnd> {
  const exited = whenExited(child, () => {
    if (!signal.aborted) tell?.();
  });
  let complaint = '';
  child.stdout.on('data', (bytes: Buffer) => output.write('stdout', bytes));
  child.stderr.on('data', (bytes: Buffer) => {
    if (complaint.length < MAX_COMPLAINT) complaint += bytes.toString('latin1');
    output.write('stderr', bytes);
  });
  if ((await unlessAborted(exited, signal)) === undefined) {
    enclosure.terminate();
    await waitUntil(enclosure.isEmpty, graceMs);
  }
  await enclosure.kill();
  const end = await within(exited, KILL_WAIT_MS);
  if (end === undefined) log.warn({ pid: child.pid }, 'process does not die');
  await Promise.all([drain(child.stdout), drain(child.stderr)]);
  const errno = end?.kind === 'exited' ? enclosure.notStarted?.(end.exitCode, complaint) : undefined;
  if (errno !== undefined) return { kind: 'not_started', errno };
  return end ?? { kind: 'signaled', signal: 'SIGKILL' };
}

/** By `exit`, not `close`: that waits for everybody who holds a pipe. */
function whenExited(child: Child, tell: () => void): Promise<ProgramEnd> {
  return new Promise((resolve) => {
    child.once('exit', (exitCode, signal) => {
      tell();
      if (signal === null) resolve({ kind: 'exited', exitCode: exitCode ?? 0 });
      else resolve({ kind: 'signaled', signal });
    });
  });
}

/** Reads to the end of the stream, or gives up on whoever holds its other end. */
async function drain(stream: Readable): Promise<void> {
  if (stream.closed) return;
  await within(new Promise<void>((resolve) => stream.once('close', resolve)), DRAIN_MS);
  stream.destroy();
}

/** The mode of new files belongs to the process as a whole, and a child takes it over when it is forked. */
function withPrivateUmask<T>(spawn: () => T): T {
  const before = process.umask(0o077);
  try {
    return spawn();
  } finally {
    process.umask(before);
  }
}
