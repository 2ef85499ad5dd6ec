import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { TestScope } from './broker.js';
import { HARMLESS_ENV } from './harmless.js';
import { runnable } from './runnable.js';

/** A process of ours under test. */
export type TestChild = Readonly<{
  child: ChildProcess;
  /** The next message that it sends over its channel. */
  message: () => Promise<unknown>;
  /** How it ended and what it wrote. */
  ended: Promise<Readonly<{ code: number | null; signal: NodeJS.Signals | null; stderr: string }>>;
}>;

const LIMIT_MS = 30_000;

/** Starts a TypeScript file of test/support as a process of its own; it is killed after the test. */
export function startChild(t: TestScope, file: string, args: readonly string[]): TestChild {
  return startChildWith(t, { file, args, env: {} });
}

/** The same with more in its environment, and started by a program that becomes it, such as `['unshare', '--net']`. */
export function startChildWith(
  t: TestScope,
  {
    file,
    args,
    env,
    wrap = [],
  }: { file: string; args: readonly string[]; env: Readonly<Record<string, string>>; wrap?: readonly string[] },
): TestChild {
  const { script, execArgv: options } = runnable(new URL(file, import.meta.url));
  const [execPath = process.execPath, ...execArgv] = [...wrap, process.execPath, ...options];
  const child = fork(script, args, {
    execPath,
    execArgv,
    env: { ...process.env, ...HARMLESS_ENV, ...env },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let stderr = '';
  child.stderr?.on('data', (bytes: Buffer) => {
    stderr += bytes.toString();
  });
  // Not 'close': after a disconnect of ours it never comes.
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  const written = new Promise<void>((resolve) => {
    child.stderr?.once('close', () => resolve());
  });
  const ended = Promise.all([exited, written]).then(([end]) => ({ ...end, stderr }));
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return {
    child,
    async message() {
      const [message]: unknown[] = await once(child, 'message', { signal: AbortSignal.timeout(LIMIT_MS) });
      return message;
    },
    ended,
  };
}
