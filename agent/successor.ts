import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { z } from 'zod';
import type { Logger } from '../runtime/logger.js';

/** What an agent tells the process that started it, before it ends to be started again. */
export const Restarting = z.object({ restarting: z.literal(true) });

/** What a shell adds to the number of a signal that ended a program. */
const SIGNALED = 128;

/** Whether somebody who starts this process again watches it: systemd by its unit, or who holds a channel to it. */
export function isSupervised(env: NodeJS.ProcessEnv): boolean {
  return process.channel !== undefined || env.NOTIFY_SOCKET !== undefined;
}

/**
 * Runs this very program again, by the same interpreter and with the same arguments (F-63), and once more each time that
 * it asks for it. Node cannot become another program, so this process stays, passes on what tells it to stop, and ends as
 * the last of them did; that one ends with this process, whose channel it holds. Gives the exit code.
 */
export async function runAgain({ log, stop }: { log: Logger; stop: AbortSignal }): Promise<number> {
  for (;;) {
    const { exitCode, wantsAnother } = await runOnce(log, stop);
    if (!wantsAnother || stop.aborted) return exitCode;
  }
}

async function runOnce(log: Logger, stop: AbortSignal): Promise<{ exitCode: number; wantsAnother: boolean }> {
  const [program = '', ...args] = process.argv.slice(1);
  log.info('starting again');
  // A group of its own: Ctrl-C reaches this process alone, which passes it on once.
  const child = spawn(process.execPath, [...process.execArgv, program, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    detached: true,
  });
  let wantsAnother = false;
  child.on('message', (message) => {
    wantsAnother ||= Restarting.safeParse(message).success;
  });
  const passOn = (): void => void child.kill('SIGTERM');
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.on(signal, passOn);
  if (stop.aborted) passOn();
  try {
    return { exitCode: await whenEnded(child), wantsAnother };
  } finally {
    for (const signal of signals) process.off(signal, passOn);
  }
}

function whenEnded(child: ChildProcess): Promise<number> {
  return new Promise((ended, failed) => {
    child.once('error', failed);
    child.once('exit', (exitCode, signal) => ended(exitCode ?? SIGNALED + constants.signals[signal ?? 'SIGKILL']));
  });
}
