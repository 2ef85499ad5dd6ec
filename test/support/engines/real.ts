import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { withDeadline } from '../../../runtime/deadline.js';
import { until } from '../until.js';
import type { EngineTarget, WantedContainer } from './target.js';

const IMAGE = 'bb:latest';
/** The cgroup of all containers of a test. */
const CGROUP = `muster-test-engine-${process.pid}`;
const START_MS = 60_000;
const STOP_MS = 30_000;

/** How to start a real engine: the program, what it needs around it, and the socket that it will have. */
export type EngineProgram = Readonly<{
  file: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  /** Everything that it writes. */
  directory: string;
  socket: string;
  busybox: string;
}>;

/** Starts an engine with one image, which has busybox and nothing else. It and its directory are gone after `stop`. */
export async function startRealEngine(program: EngineProgram): Promise<EngineTarget> {
  const { directory, socket } = program;
  const child = spawn(program.file, program.args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...program.env },
    cwd: directory,
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4000);
    });
  }
  const stop = (): Promise<void> => stopEngine(child, directory);
  try {
    await until(
      () => {
        if (child.exitCode !== null) throw new Error(`${program.file} ended with ${child.exitCode}: ${said}`);
        return existsSync(socket) && answers(socket);
      },
      { what: `${program.file} answers`, deadlineMs: START_MS },
    );
    await importImage(socket, program);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    socket,
    create: (wanted) => create(socket, wanted),
    remove: async (id) => void (await call(socket, 'DELETE', `/containers/${id}?force=1`)),
    async stop() {
      const listed: unknown = JSON.parse(await call(socket, 'GET', '/containers/json?all=1'));
      for (const each of Array.isArray(listed) ? listed : [])
        await call(socket, 'DELETE', `/containers/${each.Id}?force=1`);
      await stop();
    },
  };
}

async function stopEngine(child: ChildProcess, directory: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await withDeadline(ended, STOP_MS, 'the end of the engine').catch(() => child.kill('SIGKILL'));
  }
  unmountBelow(directory);
  removeCgroups();
  rmSync(directory, { recursive: true, force: true });
}

/** Engines leave mounts of their own behind, the innermost last. */
function unmountBelow(directory: string): void {
  const points = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  for (const point of points.filter((each) => each.startsWith(`${directory}/`)).reverse())
    spawnSync('umount', ['-l', point]);
}

/** In each hierarchy that there is, the innermost first; a cgroup that still holds something stays. */
function removeCgroups(): void {
  spawnSync('sh', [
    '-c',
    `find /sys/fs/cgroup -depth -type d -path '*/${CGROUP}*' | while read -r each; do rmdir "$each"; done`,
  ]);
}

async function answers(socket: string): Promise<boolean> {
  try {
    return (await call(socket, 'GET', '/_ping')) === 'OK';
  } catch {
    return false;
  }
}

async function importImage(socket: string, { directory, busybox }: EngineProgram): Promise<void> {
  const root = join(directory, 'rootfs');
  mkdirSync(join(root, 'bin'), { recursive: true });
  copyFileSync(busybox, join(root, 'bin/busybox'));
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
    HostConfig: { NetworkMode: 'none', CgroupParent: `/${CGROUP}` },
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
