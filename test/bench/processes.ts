import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { z } from 'zod';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Thousands of agents that enroll take minutes. */
const START_TIMEOUT_MS = 600_000;

/** A child process that announced itself; `stop` asks it to end and waits. */
export type Started = Readonly<{
  child: ChildProcess;
  ready: Readonly<Record<string, unknown>>;
  stop: () => Promise<void>;
}>;

/** Runs `muster NAME ARGS…` as it is built and waits until it is ready. */
export function startMuster(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Started> {
  return start([`${root}bin/muster.js`, ...args], env);
}

/** Runs a script of this folder through tsx. */
export function startScript(script: string, args: readonly string[] = []): Promise<Started> {
  return start(['--import', 'tsx', fileURLToPath(new URL(script, import.meta.url)), ...args], {});
}

/** Bundles a script of this folder as the command is built; the file of it. */
export async function bundleScript(script: string): Promise<string> {
  const outfile = `${root}dist/bench/${script.replace(/\.ts$/, '.js')}`;
  await build({
    entryPoints: [fileURLToPath(new URL(script, import.meta.url))],
    ...{ bundle: true, platform: 'node', target: 'node20', format: 'esm', packages: 'external' },
    ...{ outfile, logLevel: 'warning' },
  });
  return outfile;
}

/** Runs a bundled script with these options of Node. */
export function startBundle(
  file: string,
  { args, nodeOptions }: Readonly<{ args: readonly string[]; nodeOptions: readonly string[] }>,
): Promise<Started> {
  return start([...nodeOptions, file, ...args], {});
}

/** The next message of a child whose `kind` is this one. */
export async function messageOf<T extends z.ZodType>(child: ChildProcess, schema: T): Promise<z.infer<T>> {
  for (;;) {
    const [message]: unknown[] = await once(child, 'message', { signal: AbortSignal.timeout(START_TIMEOUT_MS) });
    const parsed = schema.safeParse(message);
    if (parsed.success) return parsed.data;
  }
}

async function start(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Started> {
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: {
      ...process.env,
      MUSTER_BROKER_LOG_LEVEL: 'error',
      MUSTER_CONTROLLER_LOG_LEVEL: 'error',
      MUSTER_AGENT_LOG_LEVEL: 'error',
      ...env,
    },
  });
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`${args.join(' ')} ended with ${code} before it was ready`);
  });
  const { ready } = await Promise.race([
    messageOf(child, z.object({ ready: z.record(z.string(), z.unknown()) })),
    failed,
  ]);
  failed.catch(() => undefined);
  return {
    child,
    ready,
    async stop() {
      if (child.exitCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}
