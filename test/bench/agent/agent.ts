import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { AGENT_ENVIRONMENT, AGENT_FLAGS } from './flags.js';

/** The agent as it is shipped; `npm run build:agent` makes it. */
export const BUNDLE = fileURLToPath(new URL('../../../dist/agent/muster-agent.cjs', import.meta.url));
const START_MS = 60_000;

/** A process that is measured. */
export type Measured = Readonly<{ pid: number; stop: () => Promise<void> }>;

/** Starts the bundled agent as the systemd unit does; resolves at its first welcome with the milliseconds until then. */
export async function startAgent(
  dataDir: string,
  brokerUrl: string,
  settings: readonly string[] = [],
): Promise<Measured & Readonly<{ welcomeMs: number }>> {
  const startMs = performance.now();
  const args = [...AGENT_FLAGS, BUNDLE, `--data-dir=${dataDir}`, `--broker-url=${brokerUrl}`, '--metrics-port=0'];
  const child = spawn(process.execPath, [...args, '--log-level=error', ...settings], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, ...AGENT_ENVIRONMENT },
  });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the agent ended with ${code}`);
  });
  ended.catch(() => undefined);
  await Promise.race([whenWelcomed(child), ended]);
  return { pid: child.pid ?? 0, welcomeMs: performance.now() - startMs, stop: () => stop(child) };
}

/** A Node that does nothing, without flags. */
export function startBareNode(): Measured {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' });
  return { pid: child.pid ?? 0, stop: () => stop(child) };
}

/** Milliseconds from the start of a Node that has nothing to do until its end. */
export async function bareStartMs(): Promise<number> {
  const startMs = performance.now();
  await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit');
  return performance.now() - startMs;
}

async function whenWelcomed(child: ChildProcess): Promise<void> {
  const signal = AbortSignal.timeout(START_MS);
  for (;;) {
    const [message]: unknown[] = await once(child, 'message', { signal });
    if (typeof message === 'object' && message !== null && 'welcomed' in message) return;
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}
