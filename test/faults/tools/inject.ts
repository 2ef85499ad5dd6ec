import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { settles } from '../rig/settles.js';

/** System calls that fail on purpose: which, how, and from which one on. */
export type Injection = Readonly<{ calls: string; error: 'EIO' | 'ENOSPC'; when: string }>;

/** A process in which calls fail until it is left alone again. */
export type Injected = Readonly<{ detach: () => Promise<void>; count: () => number }>;

const ATTACH_MS = 10_000;

/** Why this machine can make no call fail; undefined when it can. */
export function lacksInjection(): string | undefined {
  return spawnSync('strace', ['-V']).status === 0 ? undefined : 'making calls fail needs strace';
}

/** The program with strace in front, for a part's `wrap`. The log of the calls that failed goes to a file. */
export function underInjection(
  { calls, error, when }: Injection,
  logFile: string,
): (argv: readonly string[]) => readonly string[] {
  return (argv) => ['strace', '-f', '-qq', '-o', logFile, ...rulesOf({ calls, error, when }), ...argv];
}

/** Makes calls of a running process fail, its threads included; strace counts the calls of each thread. */
export async function injectInto(pid: number, injection: Injection, logFile: string): Promise<Injected> {
  const strace = spawn('strace', ['-f', '-o', logFile, ...rulesOf(injection), '-p', String(pid)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(strace, 'exit');
  let said = '';
  strace.stderr.on('data', (bytes: Buffer) => {
    said += bytes.toString();
  });
  if (!(await settles(() => said.includes('attached') || strace.exitCode !== null, ATTACH_MS))) {
    strace.kill('SIGKILL');
    throw new Error(`strace did not attach: ${said}`);
  }
  return {
    async detach() {
      strace.kill('SIGTERM');
      await ended;
    },
    count: () => injectedCalls(logFile),
  };
}

/** How many calls failed on purpose. */
export function injectedCalls(logFile: string): number {
  return existsSync(logFile) ? readFileSync(logFile, 'utf8').split('(INJECTED)').length - 1 : 0;
}

function rulesOf({ calls, error, when }: Injection): string[] {
  return ['-e', `trace=${calls}`, '-e', `inject=${calls}:error=${error}:when=${when}`];
}
