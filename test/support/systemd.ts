import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TestScope } from './broker.js';
import { findCommand } from './commands.js';
import { temporaryDirectory } from './temporary-directory.js';
import { until } from './until.js';

/** What tests of the conversation with systemd miss on this machine. */
export function lacksSystemd(): string | undefined {
  const missing = ['systemd-notify', 'perl'].filter((name) => findCommand(name) === undefined);
  return missing.length === 0 ? undefined : `${missing.join(' and ')} not installed`;
}

/**
 * Prints what comes on a datagram socket, a datagram a line. The descriptor that comes with systemd-notify's last one is
 * dropped unseen, which tells it, as systemd does, that everything has been read.
 */
const LISTEN = `use Socket; $| = 1; socket(S, AF_UNIX, SOCK_DGRAM, 0) or die; bind(S, sockaddr_un($ARGV[0])) or die;
while (defined recv(S, $text, 4096, 0)) { print "$text\\n" }`;

/** What a service manager hears. */
export type ServiceManager = Readonly<{
  socket: string;
  /** How often this `NAME=value` was said so far. */
  count: (assignment: string) => number;
  /** Waits until nothing has been said for this long. */
  silence: (ms: number) => Promise<void>;
}>;

/** Listens on a datagram socket as systemd does; ends with the test. */
export async function listenLikeSystemd(t: TestScope): Promise<ServiceManager> {
  const socket = join(temporaryDirectory(t), 'notify');
  const child = spawn('perl', ['-e', LISTEN, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let text = '';
  let lastMs = performance.now();
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
    lastMs = performance.now();
  });
  await until(() => existsSync(socket), { what: 'the socket of the service manager' });
  return {
    socket,
    count: (assignment) => text.split('\n').filter((each) => each === assignment).length,
    silence: async (ms) =>
      void (await until(() => performance.now() - lastMs > ms, { what: `silence of ${ms} ms`, deadlineMs: 20_000 })),
  };
}
