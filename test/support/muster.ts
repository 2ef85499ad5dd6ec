import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { writeConnection } from '../../cli/installation.js';
import { ensureOwnerToken } from '../../controller/identity/api-tokens.js';
import type { TestScope } from './broker.js';
import type { CommandEnd } from './commands.js';
import { startTestCore, type TestCore } from './core.js';
import { HARMLESS_ENV } from './harmless.js';
import { startTestHttp } from './http.js';
import { type AgentScript, type ScriptedAgent, startScriptedAgent } from './scripted-agent.js';
import { temporaryDirectory } from './temporary-directory.js';

/** As it is shipped: built before the tests, which halves what a start takes. */
const MUSTER = fileURLToPath(new URL('../../bin/muster.js', import.meta.url));

type Env = Readonly<Record<string, string>>;

/** The command as a process that runs; nothing of our own environment but PATH and HOME reaches it. */
export function spawnMuster(
  t: TestScope,
  args: readonly string[],
  env: Env = {},
  { input = '', cwd, program = MUSTER }: { input?: string; cwd?: string; program?: string } = {},
): ChildProcess {
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...HARMLESS_ENV, ...env },
    cwd,
  });
  child.stdin?.on('error', () => undefined); // EPIPE: it has ended without reading
  child.stdin?.end(input);
  t.after(() => child.kill('SIGKILL'));
  return child;
}

/** How the command ended, and what it printed. */
export async function endOf(child: ChildProcess): Promise<CommandEnd> {
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text;
    });
  }
  return new Promise((ended) => child.once('close', (exitCode) => ended({ exitCode, ...texts })));
}

/** Runs `muster` with these arguments to its end. */
export function runMuster(t: TestScope, args: readonly string[], env: Env = {}): Promise<CommandEnd> {
  return endOf(spawnMuster(t, args, env));
}

/** A controller with a broker, and the directory in which the command finds it. */
export type TestController = Readonly<{
  core: TestCore;
  url: string;
  token: string;
  dataDir: string;
  /** Runs `muster` against it. */
  muster: (...args: string[]) => Promise<CommandEnd>;
  /** Enrolls and connects a node that a test speaks for. */
  startAgent: (node: string, script?: AgentScript) => Promise<ScriptedAgent>;
}>;

export async function startTestController(t: TestScope): Promise<TestController> {
  const core = await startTestCore(t);
  const { services } = core.core;
  const { url } = await startTestHttp(t, services);
  const token = await ensureOwnerToken(core.store, 'default', Date.now());
  if (token === undefined) throw new Error('the store has a token already');
  const dataDir = temporaryDirectory(t);
  writeConnection(dataDir, { url, token });
  return {
    ...{ core, url, token, dataDir },
    muster: (...args) => runMuster(t, args, { MUSTER_DATA: dataDir }),
    startAgent: (node, script = {}) => startScriptedAgent(t, { services, brokerUrl: core.brokerUrl, node, script }),
  };
}
