import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { until } from '../until.js';
import { ENGINE_CGROUP, removeDirectory, removeOwnCgroups, startEnclosed } from './enclosure.js';
import type { EngineTarget, WantedContainer } from './target.js';

const IMAGE = 'bb:latest';
const START_MS = 60_000;

/** How to start a real engine: the program, what it needs around it, and the socket that it will have. */
export type EngineProgram = Readonly<{
  /** The program and its arguments. */
  command: readonly [string, ...string[]];
  env: Readonly<Record<string, string>>;
  /** Everything that it writes. */
  directory: string;
  socket: string;
  /** Where the Debian packages are unpacked: tini and busybox-static are among them. */
  root: string;
}>;

/** Starts an engine with one image, which has busybox and nothing else. It and its directory are gone after `stop`. */
export async function startRealEngine(program: EngineProgram): Promise<EngineTarget> {
  const { command, directory, socket, env, root } = program;
  const engine = startEnclosed({ init: join(root, 'usr/bin/tini-static'), command, env, cwd: directory });
  const stop = async (): Promise<void> => {
    await engine.stop();
    removeOwnCgroups();
    removeDirectory(directory);
  };
  try {
    await until(
      () => {
        if (engine.hasEnded()) throw new Error(`${command[0]} has ended: ${engine.said()}`);
        return existsSync(socket) && answers(socket);
      },
      { what: `${command[0]} answers`, deadlineMs: START_MS },
    );
    await importImage(socket, program);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ...{ socket, stop },
    create: (wanted) => create(socket, wanted),
    remove: async (id) => void (await call(socket, 'DELETE', `/containers/${id}?force=1`)),
  };
}

async function answers(socket: string): Promise<boolean> {
  try {
    return (await call(socket, 'GET', '/_ping')) === 'OK';
  } catch {
    return false;
  }
}

async function importImage(socket: string, { directory, root: unpacked }: EngineProgram): Promise<void> {
  const root = join(directory, 'rootfs');
  mkdirSync(join(root, 'bin'), { recursive: true });
  copyFileSync(join(unpacked, 'bin/busybox'), join(root, 'bin/busybox'));
  for (const name of ['sh', 'sleep', 'printf']) symlinkSync('busybox', join(root, 'bin', name));
  const { stdout } = spawnSync('tar', ['-C', root, '-c', '.'], { maxBuffer: 64 * 1024 * 1024 });
  await call(socket, 'POST', '/images/create?fromSrc=-&repo=bb&tag=latest', {
    type: 'application/x-tar',
    body: stdout,
  });
}

async function create(socket: string, wanted: WantedContainer): Promise<string> {
  const { name, tty = false, env = [], labels = {} } = wanted;
  const body = JSON.stringify({
    ...{ Image: IMAGE, Cmd: ['/bin/sh', '-c', scriptOf(wanted)], Tty: tty, Env: ['PATH=/bin', ...env], Labels: labels },
    HostConfig: { NetworkMode: 'none', CgroupParent: `/${ENGINE_CGROUP}` },
  });
  const answer: unknown = JSON.parse(
    await call(socket, 'POST', `/containers/create?name=${name}`, { type: 'application/json', body }),
  );
  if (typeof answer === 'object' && answer !== null && 'Id' in answer) return String(answer.Id);
  throw new Error('the engine gave no id');
}

/** A program that ends at SIGTERM does so within a moment; the first process of a container ignores it unless told. */
function scriptOf({ says = [], endsWith, isStubborn = false }: WantedContainer): string {
  return [
    `trap '${isStubborn ? '' : 'exit 0'}' TERM`,
    ...says.map(({ stream, text }) => `printf %s '${text}'${stream === 'stderr' ? ' >&2' : ''}; sleep 0.05`),
    endsWith === undefined ? 'while :; do sleep 0.1; done' : `exit ${endsWith}`,
  ].join('\n');
}

/** One call of the engine's own interface; throws what it answers when that is no success. */
function call(
  socket: string,
  method: string,
  path: string,
  { type, body }: { type?: string; body?: string | Buffer } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = type === undefined ? {} : { 'content-type': type };
    const asked = request({ socketPath: socket, method, path, agent: false, headers, timeout: START_MS }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      answer.on('end', () => {
        if ((answer.statusCode ?? 500) < 300) resolve(text);
        else reject(new Error(`${method} ${path}: ${answer.statusCode} ${text}`));
      });
    });
    asked.on('error', reject);
    asked.on('timeout', () => asked.destroy(new Error(`${method} ${path} hangs`)));
    asked.end(body);
  });
}
