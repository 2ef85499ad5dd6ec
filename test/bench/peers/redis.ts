import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { freePort } from '../../support/free-port.js';

/** A Redis server with a sync at each write; `stop` ends it. */
export type Redis = Readonly<{ port: number; stop: () => Promise<void> }>;

const SETTINGS = { bind: '127.0.0.1', appendonly: 'yes', appendfsync: 'always', save: '', loglevel: 'warning' };

/** Why there can be no Redis here; undefined when there can. */
export function lacksRedis(): string | undefined {
  const { error } = spawnSync('redis-server', ['--version'], { stdio: 'ignore' });
  return error === undefined ? undefined : 'redis-server is not installed';
}

/** Starts Debian's Redis with its files in this directory. Who connects waits until it answers. */
export async function startRedis(directory: string): Promise<Redis> {
  const port = await freePort();
  const settings = Object.entries({ ...SETTINGS, port: String(port), dir: directory });
  const child = spawn(
    'redis-server',
    settings.flatMap(([name, value]) => [`--${name}`, value]),
    { stdio: 'ignore' },
  );
  const ended = once(child, 'exit');
  return {
    port,
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
