import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SOCKET_NAME } from '../../agent/local/place.js';
import { startTestBroker, type TestBroker, type TestScope } from './broker.js';
import type { CommandEnd } from './commands.js';
import { enrollByHand } from './controlled-agent.js';
import { HARMLESS_ENV } from './harmless.js';
import { endOf } from './muster.js';
import { temporaryDirectory } from './temporary-directory.js';
import { until } from './until.js';

const BUNDLE = fileURLToPath(new URL('../../dist/agent/muster-agent.cjs', import.meta.url));

/** The agent that is one file, as a process of its own on a node that has no network, and people who ask it. */
export type LocalAgent = Readonly<{
  broker: TestBroker;
  /** What `--data` names; the agent's own directory lies below it. */
  dataDir: string;
  hooksDir: string;
  socket: string;
  child: () => ChildProcess;
  /** Starts it (again) and waits until its socket is there. */
  start: () => Promise<void>;
  kill: () => Promise<void>;
  /** Runs the one file with these words to its end; as another user when a uid is given. */
  ask: (words: readonly string[], options?: AskOptions) => Promise<CommandEnd>;
  spawn: (words: readonly string[], options?: AskOptions) => ChildProcess;
}>;

export type AskOptions = Readonly<{ uid?: number; env?: Readonly<Record<string, string>> }>;

/** Enrolls a node by hand, takes its broker away and starts its agent. All of it ends with the test. */
export async function startLocalAgent(t: TestScope, flags: readonly string[] = []): Promise<LocalAgent> {
  const broker = await startTestBroker(t);
  const directory = temporaryDirectory(t);
  chmodSync(directory, 0o755); // for other users, who run the program but reach no data
  const program = join(directory, 'muster-agent.cjs');
  copyFileSync(BUNDLE, program);
  chmodSync(program, 0o644);
  const [dataDir, hooksDir] = [join(directory, 'data'), join(directory, 'hooks')];
  mkdirSync(join(dataDir, 'agent'), { recursive: true, mode: 0o700 });
  mkdirSync(hooksDir);
  enrollByHand(broker, join(dataDir, 'agent'));
  await broker.stop();

  const named = flags.find((flag) => flag.startsWith('--local-socket='))?.slice('--local-socket='.length);
  const socket = named ?? join(dataDir, 'agent', SOCKET_NAME);
  const usual = [`--data=${dataDir}`, `--hooks-dir=${hooksDir}`, '--metrics-port=-1', '--drain-timeout=1ms'];
  let child: ChildProcess | undefined;
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child?.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  };
  const start = async (): Promise<void> => {
    let isReady = false;
    child = spawn(process.execPath, [program, ...usual, '--log-level=error', ...flags], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { PATH: process.env.PATH, ...HARMLESS_ENV },
    });
    child.once('message', () => {
      isReady = true;
    });
    await until(() => isReady && existsSync(socket), { what: 'the agent', deadlineMs: 30_000 });
  };
  const spawnAsk = (words: readonly string[], { uid, env }: AskOptions = {}): ChildProcess =>
    spawn(process.execPath, [program, ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: directory,
      env: { PATH: process.env.PATH, MUSTER_AGENT_LOCAL_SOCKET: socket, ...env },
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
  t.after(kill);
  await start();
  return {
    ...{ broker, dataDir, hooksDir, socket, start, kill },
    child() {
      if (child === undefined) throw new Error('the agent was not started');
      return child;
    },
    ask: (words, options) => endOf(spawnAsk(words, options)),
    spawn: spawnAsk,
  };
}
