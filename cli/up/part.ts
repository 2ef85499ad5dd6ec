import { type ChildProcess, spawn } from 'node:child_process';
import { z } from 'zod';
import { Restarting } from '../../agent/successor.js';
import { fullJitterMs } from '../../runtime/backoff.js';
import type { ReadyMessage } from '../../runtime/lifecycle.js';
import { createLogFile } from './log-file.js';

const RESTART_BASE_MS = 500;
const RESTART_CAP_MS = 30_000;
/** A part that ran this long before it ended starts again without delay. */
const STEADY_MS = 60_000;
const TERMINAL_TAIL_LINES = 20;

/** Where a part listens, as it announced. */
export type Announced = Readonly<Record<string, unknown>>;

const Ready = z.object({ ready: z.record(z.string(), z.unknown()) }) satisfies z.ZodType<ReadyMessage>;

/** A part of Muster that runs as a child process and is started again when it ends by itself. */
export type Part = Readonly<{
  name: string;
  logFile: string;
  /** What the part announced when it was first ready. */
  ready: Announced;
  /** Asks it to stop and waits for its end; a second call asks it to hurry. */
  stop: () => Promise<void>;
}>;

/** The part ended before it was ready; its own sentences are on stderr already. */
export class PartFailed extends Error {
  override readonly name = 'PartFailed';
  constructor(
    readonly part: string,
    readonly exitCode: number,
  ) {
    super(`The ${part} did not start (exit code ${exitCode})`);
  }
}

/** How a part is started: `muster NAME ARGS…` with this environment. */
export type PartSpec = Readonly<{
  name: string;
  /** `ready` is what the part announced at its first start: it comes back on the very same ports. */
  args: (ready: Announced | undefined) => readonly string[];
  env?: Readonly<Record<string, string>>;
  logDirectory: string;
  /** Called when it ended by itself and will be started again. */
  onRestart: (exitCode: number, waitMs: number) => void;
}>;

/**
 * Starts a part and resolves once it is ready. The child holds an IPC channel to us and stops when it closes, so that
 * no part outlives `muster up`, even when that is killed.
 * @throws {PartFailed}
 */
export async function startPart(spec: PartSpec): Promise<Part> {
  const log = createLogFile(spec.logDirectory, spec.name);
  let child = launch(spec, { write: log.write });
  let failures = 0;
  let stopping = false;
  let restartTimer: NodeJS.Timeout | undefined;
  const ready = await whenReady(spec.name, child);
  supervise(child);

  function supervise(current: ChildProcess): void {
    const startedMs = performance.now();
    let isAskedFor = false;
    current.on('message', (message) => {
      isAskedFor ||= Restarting.safeParse(message).success;
    });
    current.once('exit', (exitCode) => {
      if (stopping) return;
      failures = isAskedFor || performance.now() - startedMs > STEADY_MS ? 0 : failures + 1;
      const waitMs = fullJitterMs(failures, { baseMs: RESTART_BASE_MS, capMs: RESTART_CAP_MS, random: Math.random });
      spec.onRestart(exitCode ?? 1, waitMs);
      restartTimer = setTimeout(() => {
        child = launch(spec, { write: log.write, ready });
        supervise(child);
      }, waitMs);
    });
  }

  return {
    name: spec.name,
    logFile: log.path,
    ready,
    stop() {
      stopping = true;
      clearTimeout(restartTimer);
      const current = child;
      if (current.exitCode !== null || current.signalCode !== null) return Promise.resolve();
      current.kill('SIGTERM');
      return new Promise((ended) => current.once('exit', () => ended()));
    },
  };
}

function launch(spec: PartSpec, { write, ready }: { write: (text: string) => void; ready?: Announced }): ChildProcess {
  const entry = process.argv[1] ?? '';
  // Its own process group: Ctrl-C in the terminal reaches us alone, and we stop the parts in their order.
  const child = spawn(process.execPath, [...process.execArgv, entry, spec.name, ...spec.args(ready)], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
    env: { ...process.env, ...spec.env },
  });
  child.stdout?.setEncoding('utf8').on('data', write);
  child.stderr?.setEncoding('utf8').on('data', write);
  return child;
}

function whenReady(name: string, child: ChildProcess): Promise<Announced> {
  let tail: string[] = [];
  const collect = (text: string): void => {
    tail = [...tail, ...text.split('\n').filter((line) => line !== '')].slice(-TERMINAL_TAIL_LINES);
  };
  child.stderr?.on('data', collect);
  return new Promise((ready, failed) => {
    child.once('error', failed);
    child.once('exit', (exitCode) => {
      const sentences = tail.filter((line) => !line.startsWith('{'));
      process.stderr.write(`${(sentences.length > 0 ? sentences : tail).join('\n')}\n`);
      failed(new PartFailed(name, exitCode ?? 1));
    });
    child.on('message', function onMessage(message) {
      const parsed = Ready.safeParse(message);
      if (!parsed.success) return;
      child.off('message', onMessage);
      child.stderr?.off('data', collect);
      child.removeAllListeners('exit');
      ready(parsed.data.ready);
    });
  });
}
