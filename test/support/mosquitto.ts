import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { withDeadline } from '../../runtime/deadline.js';
import type { Credential, TestScope } from './broker.js';
import { findCommand } from './commands.js';
import { freePort } from './free-port.js';
import { temporaryDirectory } from './temporary-directory.js';
import { until } from './until.js';

/** What a test needs of any broker. */
export type AnyBroker = Readonly<{
  port: number;
  url: string;
  credential: (role: 'node' | 'controller' | 'monitor', id: string) => Credential;
  stop: () => Promise<void>;
  restart: () => Promise<void>;
}>;

/** Debian's Mosquitto on a free port, which lets everybody do everything; undefined where it is not installed. */
export async function startMosquitto(t: TestScope): Promise<AnyBroker | undefined> {
  const program = findCommand('mosquitto');
  if (program === undefined) return undefined;
  const port = await freePort();
  const url = `mqtt://127.0.0.1:${port}`;
  const configFile = join(temporaryDirectory(t), 'mosquitto.conf');
  writeFileSync(
    configFile,
    `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\n`,
  );

  let running = spawn(program, ['-c', configFile], { stdio: 'ignore' });
  const stop = async (): Promise<void> => {
    if (running.exitCode !== null || running.signalCode !== null) return;
    const ended = once(running, 'exit');
    running.kill('SIGTERM');
    await withDeadline(ended, 10_000, 'the end of mosquitto');
  };
  t.after(stop);
  await until(() => answers(url), { what: 'mosquitto listens' });
  return {
    ...{ port, url, stop },
    credential: (_role, id) => ({ clientId: id, username: id, password: 'any' }),
    restart: async () => {
      await stop();
      running = spawn(program, ['-c', configFile], { stdio: 'ignore' });
      await until(() => answers(url), { what: 'mosquitto listens again' });
    },
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    const client = await connectAsync(url, { reconnectPeriod: 0, connectTimeout: 1000 }, false);
    await client.endAsync(true);
    return true;
  } catch {
    return false;
  }
}
