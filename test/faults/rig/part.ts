import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { withDeadline } from '../../../runtime/deadline.js';
import type { Life } from '../judge/evidence.js';
import { findProgram } from './proc.js';

/** How a part is launched. */
export type Launch = Readonly<{
  /** The program and its arguments. */
  argv: readonly string[];
  env: Readonly<Record<string, string>>;
  /** Puts another program in front: strace, faketime, ip netns exec … */
  wrap?: (argv: readonly string[]) => readonly string[];
}>;

type RunningLife = { -readonly [Key in keyof Omit<Life, 'pauses'>]: Life[Key] } & {
  pauses: { fromMs: number; toMs: number | undefined }[];
};

/** How a process ended. */
export type PartEnd = Readonly<{ code: number | null; signal: NodeJS.Signals | null }>;

/** Broker, controller or agent as a real process that can be harmed. */
export type Part = Readonly<{
  /** Of the program itself, also below a wrapper. */
  pid: () => number;
  isRunning: () => boolean;
  /** Resolves when it can be used; `env` adds to the usual one. @throws {Error} when it ends before that */
  start: (changes?: Partial<Launch>) => Promise<void>;
  /** The same for a part that may be about to die: false when it ended before it could be used. */
  tryStart: (changes?: Partial<Launch>) => Promise<boolean>;
  /** Sends a signal to the program and waits for the end of it and of its wrapper. */
  kill: (signal: NodeJS.Signals) => Promise<PartEnd>;
  /** The same to its whole process group. */
  killGroup: (signal: NodeJS.Signals) => Promise<PartEnd>;
  /** How it ended: at once when it is not running. */
  ended: () => Promise<PartEnd>;
  /** SIGSTOP. */
  pause: () => void;
  /** SIGCONT. */
  resume: () => void;
  /**
   * The next message over its channel that has this key; what it said since its start counts. @throws {Error} when it ends
   * or is silent for a minute, or for so long
   */
  said: (key: string, deadlineMs?: number) => Promise<Readonly<Record<string, unknown>>>;
  lives: () => readonly Life[];
  /** What it has printed so far. */
  log: () => string;
}>;

const Message = z.record(z.string(), z.unknown());
const READY_MS = 60_000;
const END_MS = 90_000;

/** A part that does not run yet. Everything that it prints is appended to the file. */
export function createPart(launch: Launch, { name, logFile }: { name: string; logFile: string }): Part {
  let child: ChildProcess | undefined;
  let programPid: number | undefined;
  let messages: Readonly<Record<string, unknown>>[] = [];
  let ended: Promise<PartEnd> = Promise.resolve({ code: 0, signal: null });
  const lives: RunningLife[] = [];
  const heard = new Set<() => void>();

  function open(changes: Partial<Launch>): ChildProcess {
    const { argv, wrap } = { ...launch, ...changes };
    const env = { ...launch.env, ...changes.env };
    const [file = '', ...args] = wrap === undefined ? argv : wrap(argv);
    const log = openSync(logFile, 'a');
    const started = spawn(file, args, { detached: true, env, stdio: ['ignore', log, log, 'ipc'] });
    closeSync(log);
    messages = [];
    programPid = undefined;
    const life: RunningLife = { fromMs: Date.now(), toMs: undefined, stopMs: undefined, end: 'alive', pauses: [] };
    lives.push(life);
    ended = new Promise((resolve) => {
      started.once('error', () => resolve({ code: 127, signal: null }));
      started.once('exit', (code, signal) => resolve({ code, signal }));
    });
    void ended.then(({ code }) => {
      life.toMs = Date.now();
      life.end = life.stopMs !== undefined && code === 0 ? 'stopped' : 'crashed';
      for (const tell of heard) tell();
    });
    started.on('message', (message) => {
      messages.push(Message.parse(message));
      for (const tell of heard) tell();
    });
    return started;
  }

  const isRunning = (): boolean => lives.at(-1)?.end === 'alive';

  function pid(): number {
    if (!isRunning() || child?.pid === undefined) throw new Error(`${name} is not running`);
    programPid ??= findProgram(child.pid);
    return programPid;
  }

  /** The program may have died while its wrapper has yet to notice. */
  function programOrWrapper(): number {
    try {
      return pid();
    } catch (error) {
      if (child?.pid === undefined) throw error;
      return child.pid;
    }
  }

  async function said(key: string, deadlineMs = READY_MS): Promise<Readonly<Record<string, unknown>>> {
    const deadline = AbortSignal.timeout(deadlineMs);
    for (;;) {
      const message = messages.find((each) => Object.hasOwn(each, key));
      if (message !== undefined) return message;
      if (!isRunning()) throw new Error(`${name} ended before it said ${key}; see ${logFile}`);
      let tell: () => void = () => undefined;
      const next = new Promise<void>((resolve) => {
        tell = resolve;
      });
      heard.add(tell);
      await Promise.race([next, once(deadline, 'abort')]);
      heard.delete(tell);
      if (deadline.aborted) throw new Error(`${name} did not say ${key} within ${deadlineMs} ms; see ${logFile}`);
    }
  }

  async function end(signal: NodeJS.Signals, target: number): Promise<PartEnd> {
    const life = lives.at(-1);
    if (life !== undefined && (signal === 'SIGTERM' || signal === 'SIGINT')) life.stopMs ??= Date.now();
    try {
      process.kill(target, signal);
    } catch {
      // It has just ended by itself.
    }
    return withDeadline(ended, END_MS, `the end of ${name}`);
  }

  async function start(changes: Partial<Launch> = {}): Promise<void> {
    if (isRunning()) throw new Error(`${name} is running`);
    child = open(changes);
    await said('ready');
  }

  return {
    pid,
    isRunning,
    start,
    tryStart: (changes) =>
      start(changes).then(
        () => true,
        (error: unknown) => {
          if (isRunning()) throw error;
          return false;
        },
      ),
    kill: (signal) => (isRunning() ? end(signal, programOrWrapper()) : ended),
    killGroup: (signal) => (isRunning() ? end(signal, -(child?.pid ?? pid())) : ended),
    ended: () => ended,
    pause() {
      process.kill(pid(), 'SIGSTOP');
      lives.at(-1)?.pauses.push({ fromMs: Date.now(), toMs: undefined });
    },
    resume() {
      process.kill(pid(), 'SIGCONT');
      const last = lives.at(-1)?.pauses.at(-1);
      if (last !== undefined) last.toMs ??= Date.now();
    },
    said,
    lives: () => structuredClone(lives),
    log: () => readFileSync(logFile, 'utf8'),
  };
}
