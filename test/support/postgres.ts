import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { withDeadline } from '../../runtime/deadline.js';
import type { TestScope } from './broker.js';
import { freePort } from './free-port.js';
import { memoryDirectory } from './temporary-directory.js';
import { until } from './until.js';

/** A PostgreSQL server of a test's own, with fsync, on a free port of 127.0.0.1. */
export type TestPostgres = Readonly<{
  port: number;
  /** A database that nobody uses, to make others from. */
  url: string;
  /** Every process of it gets SIGKILL, as in a crash of the machine. */
  kill: () => Promise<void>;
  /** Starts it again on the same port and files. */
  start: () => Promise<void>;
}>;

const DEBIAN_HOME = '/usr/lib/postgresql';
const SETTINGS = [
  ...['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=200'],
  'dynamic_shared_memory_type=mmap', // a file beside its others: what is in /dev/shm outlives a kill
];

/** Why there can be no PostgreSQL here; undefined when there can. */
export function lacksPostgres(): string | undefined {
  return findPrograms() === undefined || serverUser() === undefined ? 'PostgreSQL is not installed' : undefined;
}

/**
 * Debian's PostgreSQL; undefined where it is not installed. It is stopped after the test, and lies in `place`, on disk
 * from the start, or else in memory.
 */
export async function startPostgres(
  t: TestScope,
  settings: readonly string[] = [],
  place?: string,
): Promise<TestPostgres | undefined> {
  const programs = findPrograms();
  const user = serverUser();
  if (programs === undefined || user === undefined) return undefined;
  const parent = place ?? memoryDirectory(t);
  const haste = place === undefined ? ['--no-sync'] : [];
  chmodSync(parent, 0o755);
  const directory = join(parent, 'data');
  mkdirSync(directory, { mode: 0o700 });
  if (user.uid !== undefined) chownSync(directory, user.uid, user.gid ?? user.uid);
  // A locale that sorts unlike octets, as most servers have.
  const locale = ['--encoding=UTF8', '--locale=C.UTF-8', '--locale-provider=icu', '--icu-locale=en-US'];
  const made = spawnSync(
    join(programs, 'initdb'),
    ['--pgdata', directory, '--username=muster', '--auth=trust', ...haste, ...locale],
    { ...user, encoding: 'utf8', cwd: '/' },
  );
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);

  const port = await freePort();
  const url = `postgres://muster@127.0.0.1:${port}/postgres`;
  const args = ['-D', directory, '-p', String(port), ...[...SETTINGS, ...settings].flatMap((each) => ['-c', each])];
  let running: ChildProcess | undefined;
  const start = (): Promise<void> =>
    until(
      async () => {
        // After a crash the first attempts may find memory that the last of the dead still hold.
        if (running === undefined || running.exitCode !== null || running.signalCode !== null) {
          running = spawn(join(programs, 'postgres'), args, { ...user, stdio: 'ignore', cwd: '/' });
        }
        return answers(url);
      },
      { what: 'PostgreSQL answers', deadlineMs: 60_000 },
    ).then(() => undefined);
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const current = running;
    running = undefined;
    if (current === undefined || current.exitCode !== null || current.signalCode !== null) return;
    const ended = once(current, 'exit');
    for (const pid of signal === 'SIGKILL' ? childrenOf(current.pid) : []) kill(pid, signal);
    current.kill(signal);
    await withDeadline(ended, 30_000, 'the end of PostgreSQL');
  };
  t.after(() => end('SIGINT'));
  await start();
  return { port, url, start, kill: () => end('SIGKILL') };
}

/** The URL of a new database on this server, which is dropped after the test. */
export async function createDatabase(t: TestScope, server: string): Promise<string> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await runStatement(server, `create database ${name}`);
  t.after(() => runStatement(server, `drop database if exists ${name} with (force)`).catch(() => undefined));
  return server.replace(/[^/]*$/, name);
}

/** Runs one statement on a connection of its own; gives its rows. */
export async function runStatement(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query(text);
    return rows;
  } finally {
    await client.end();
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    await runStatement(url, 'select 1');
    return true;
  } catch {
    return false;
  }
}

/** Where Debian keeps the programs of the newest version that is installed. */
function findPrograms(): string | undefined {
  if (!existsSync(DEBIAN_HOME)) return undefined;
  const versions = readdirSync(DEBIAN_HOME).sort((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(DEBIAN_HOME, version, 'bin')).find((bin) => existsSync(join(bin, 'initdb')));
}

/** PostgreSQL refuses to run as root: then it runs as the user that its package made; undefined when there is none. */
function serverUser(): { uid?: number; gid?: number } | undefined {
  if (process.getuid?.() !== 0) return {};
  const idOf = (flag: string): number => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout);
  const [uid, gid] = [idOf('-u'), idOf('-g')];
  return uid > 0 && gid > 0 ? { uid, gid } : undefined;
}

function childrenOf(pid: number | undefined): number[] {
  const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .map(Number)
    .filter((each) => each > 0);
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}
