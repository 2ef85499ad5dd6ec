import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { readConnection } from '../../cli/installation.js';
import type { TestScope } from './broker.js';
import type { CommandEnd } from './commands.js';
import { endOf, runMuster, spawnMuster } from './muster.js';
import { until } from './until.js';

/** A running `muster up` on free ports. */
export type Up = Readonly<{
  child: ChildProcess;
  dataDir: string;
  hooksDir: string;
  url: string;
  token: string;
  /** The name of the local node. */
  node: string;
  mqttUrl: string;
  stdout: () => string;
  ended: Promise<CommandEnd>;
  /** Runs `muster` against it. */
  muster: (...args: string[]) => Promise<CommandEnd>;
  /** The same with `--json`, parsed. */
  json: (...args: string[]) => Promise<unknown>;
}>;

const START_MS = 60_000;

/** Starts `muster up` in this directory and waits until it has shown its first action. */
export function startUp(t: TestScope, dataDir: string, ...args: string[]): Promise<Up> {
  return startUpWith(t, { dataDir, args });
}

/** The same with more in its environment. */
export async function startUpWith(
  t: TestScope,
  {
    dataDir,
    args = [],
    env = {},
    ports = ['--http-port=0', '--mqtt-port=0'],
    program,
  }: {
    dataDir: string;
    args?: readonly string[];
    env?: Readonly<Record<string, string>>;
    ports?: readonly string[];
    /** Another build of the command. */
    program?: string;
  },
): Promise<Up> {
  const words = ['up', '--data', dataDir, ...ports, ...args];
  const child = spawnMuster(t, words, env, program === undefined ? {} : { program });
  let stdout = '';
  child.stdout?.on('data', (text) => {
    stdout += String(text);
  });
  const ended = endOf(child);
  const isOver = ended.then(({ stderr }) => {
    throw new Error(`muster up ended: ${stderr}`);
  });
  await Promise.race([
    until(() => stdout.includes('until Ctrl-C'), { what: 'muster up is ready', deadlineMs: START_MS }),
    isOver,
  ]);
  isOver.catch(() => undefined);
  const muster = (...words: string[]): Promise<CommandEnd> => runMuster(t, words, { MUSTER_DATA: dataDir });
  return {
    ...{ child, dataDir, hooksDir: join(dataDir, 'hooks'), ...readConnection(dataDir), ended, muster },
    node: field(stdout, 'Node'),
    mqttUrl: field(stdout, 'MQTT'),
    stdout: () => stdout,
    async json(...words) {
      const { stdout: text, stderr } = await muster(...words, '--json');
      if (text === '') throw new Error(stderr);
      return JSON.parse(text);
    },
  };
}

/** Ends it as Ctrl-C does. */
export async function interrupt({ child, ended }: Up): Promise<CommandEnd> {
  child.kill('SIGINT');
  return ended;
}

/** A second agent, started by hand, until it says that it works. */
export async function startHandAgent(t: TestScope, args: readonly string[]): Promise<ChildProcess> {
  const child = spawnMuster(t, ['agent', ...args]);
  child.stderr?.resume();
  child.stdout?.resume();
  for (;;) {
    const [message]: unknown[] = await once(child, 'message', { signal: AbortSignal.timeout(START_MS) });
    if (typeof message === 'object' && message !== null && 'welcomed' in message) return child;
  }
}

function field(stdout: string, name: string): string {
  return new RegExp(`^${name}: +(\\S+)`, 'm').exec(stdout)?.[1] ?? '';
}
