import type { Readable } from 'node:stream';
import type { Logger } from '../../runtime/logger.js';
import type { OutputSink } from './action.js';
import type { Enclosure, Isolation } from './isolation.js';
import { startKeeper } from './keeper.js';
import { signalGroup } from './process-group.js';
import { unlessAborted, waitUntil, within } from './waiting.js';

/** After SIGKILL a process is gone at once, unless it sleeps uninterruptibly in the kernel. */
const KILL_WAIT_MS = 1000;

/** How long output is still read when the first process has ended and others hold its pipes. */
const DRAIN_MS = 500;

/** A program to start without a shell. `env` is all that it gets; nothing is inherited. */
export type Program = Readonly<{
  file: string;
  args: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  /** Milliseconds between SIGTERM and SIGKILL (P-42: 500 for hooks). */
  graceMs: number;
  /** An environment entry, `NAME=value`, that only this execution has. */
  marker?: string;
}>;

/** How a program ended, or why it was not started: `ENOENT`, `EACCES`, `ECANCELED` when the signal came first … */
export type ProgramEnd =
  | Readonly<{ kind: 'exited'; exitCode: number }>
  | Readonly<{ kind: 'signaled'; signal: NodeJS.Signals }>
  | Readonly<{ kind: 'not_started'; errno: string }>;

/** What a run needs from its surroundings. */
export type ProgramContext = Readonly<{
  signal: AbortSignal;
  output: OutputSink;
  isolation: Isolation;
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
  const enclosure = context.isolation.enclose(program.marker);
  try {
    const child = enclosure.start(() =>
      withPrivateUmask(() =>
        execa(program.file, program.args, {
          reject: false,
          detached: true, // a process group of its own
          stdin: 'ignore',
          buffer: false,
          encoding: 'buffer',
          extendEnv: false,
          env: { ...program.env },
          cwd: program.cwd,
        }),
      ),
    );
    // ENOENT comes as an event, NUL or too much in the environment as an exception in spawn: execa makes both a result.
    if (child.pid === undefined) return { kind: 'not_started', errno: (await child).code ?? 'unknown' };
    const keeper = startKeeper(execa, child.pid, enclosure.killFile);
    try {
      return await accompany({ leader: child.pid, child, enclosure, graceMs: program.graceMs }, context);
    } finally {
      keeper.dismiss();
    }
  } finally {
    await enclosure.release();
  }
}

/** The part of a child process that is used once it runs. */
type Child = Readonly<{
  stdout: Readable;
  stderr: Readable;
  once: (event: 'exit', listener: (exitCode: number | null, signal: NodeJS.Signals | null) => void) => unknown;
}>;

/** From the start of a process to the end of all that came of it. */
async function accompany(
  { leader, child, enclosure, graceMs }: { leader: number; child: Child; enclosure: Enclosure; graceMs: number },
  { signal, output, log }: ProgramContext,
): Promise<ProgramEnd> {
  const exited = whenExited(child);
  child.stdout.on('data', (bytes: Buffer) => output.write('stdout', bytes));
  child.stderr.on('data', (bytes: Buffer) => output.write('stderr', bytes));
  if ((await unlessAborted(exited, signal)) === undefined) {
    signalGroup(leader, 'SIGTERM');
    await waitUntil(() => enclosure.isEmpty(leader), graceMs);
  }
  await enclosure.kill(leader);
  const end = await within(exited, KILL_WAIT_MS);
  if (end === undefined) log.warn({ pid: leader }, 'process does not die');
  await Promise.all([drain(child.stdout), drain(child.stderr)]);
  return end ?? { kind: 'signaled', signal: 'SIGKILL' };
}

/** By `exit`, not `close`: that waits for everybody who holds a pipe. */
function whenExited(child: Child): Promise<ProgramEnd> {
  return new Promise((resolve) => {
    child.once('exit', (exitCode, signal) => {
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
