import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { TOPICS, type TopicKind, type TopicScope, topicFilter } from '../../../protocol/topics.js';
import { withDeadline } from '../../../runtime/deadline.js';
import { findCommand, runCommand } from '../../support/commands.js';
import { until } from '../../support/until.js';

/** Who may in, with the very password that it will present. */
export type MosquittoAccount = Readonly<{
  role: 'node' | 'controller';
  username: string;
  password: string;
  /** Whose requests a node may hear. */
  groups: readonly string[];
}>;

export type GuardedMosquitto = Readonly<{
  /** From now on these may in; connections that there are stay. */
  admit: (accounts: readonly MosquittoAccount[]) => Promise<void>;
  stop: () => Promise<void>;
}>;

const STOP_MS = 10_000;

/** Why Mosquitto cannot be used here; undefined when it can. */
export function mosquittoLacks(): string | undefined {
  const missing = ['mosquitto', 'mosquitto_passwd'].filter((name) => findCommand(name) === undefined);
  return missing.length === 0 ? undefined : `${missing.join(' and ')} not installed`;
}

/**
 * Debian's Mosquitto on this port of 127.0.0.1, as an operator would set it up: a password file, and an ACL file made
 * from the table of topics. Nothing is kept on disk.
 */
export async function startGuardedMosquitto({
  directory,
  port,
  scope,
  accounts,
}: Readonly<{
  directory: string;
  port: number;
  scope: TopicScope;
  accounts: readonly MosquittoAccount[];
}>): Promise<GuardedMosquitto> {
  const files = { passwords: join(directory, 'mosquitto.passwords'), acl: join(directory, 'mosquitto.acl') };
  await writeAccounts(files, scope, accounts);
  const config = join(directory, 'mosquitto.conf');
  writeFileSync(
    config,
    `user ${userInfo().username}
listener ${port} 127.0.0.1
allow_anonymous false
password_file ${files.passwords}
acl_file ${files.acl}
persistence false
set_tcp_nodelay true
`,
  );
  const running = spawn(findCommand('mosquitto') ?? 'mosquitto', ['-c', config], { stdio: 'ignore' });
  const stop = (): Promise<void> => end(running);
  try {
    await until(() => accepts(port, running), { what: 'mosquitto listens' });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    stop,
    async admit(next) {
      await writeAccounts(files, scope, next);
      running.kill('SIGHUP');
    },
  };
}

/** The lines of an ACL file: each part may say and hear what the table of topics gives it, and nothing else. */
export function aclOf(scope: TopicScope, accounts: readonly MosquittoAccount[]): string {
  const kinds = Object.keys(TOPICS).filter((kind): kind is TopicKind => Object.hasOwn(TOPICS, kind));
  return accounts
    .map(({ role, username, groups }) => {
      const own = role === 'node' ? { node: username } : {};
      const lines = kinds.flatMap((kind) => {
        const access = (TOPICS[kind].from === 'agent') === (role === 'node') ? 'write' : 'read';
        const levels = kind === 'group_request' && role === 'node' ? groups.map((group) => ({ group })) : [own];
        return levels.map((each) => `topic ${access} ${topicFilter(scope, kind, each)}`);
      });
      return [`user ${username}`, ...lines, ''].join('\n');
    })
    .join('\n');
}

async function writeAccounts(
  { passwords, acl }: Readonly<{ passwords: string; acl: string }>,
  scope: TopicScope,
  accounts: readonly MosquittoAccount[],
): Promise<void> {
  const plain = accounts.map(({ username, password }) => `${username}:${password}\n`).join('');
  writeFileSync(passwords, plain, { mode: 0o600 });
  const { exitCode, stderr } = await runCommand(findCommand('mosquitto_passwd') ?? '', ['-U', passwords]);
  if (exitCode !== 0) throw new Error(`mosquitto_passwd failed: ${stderr}`);
  writeFileSync(acl, aclOf(scope, accounts), { mode: 0o600 });
}

async function end(running: ChildProcess): Promise<void> {
  if (running.exitCode !== null || running.signalCode !== null) return;
  const ended = once(running, 'exit');
  running.kill('SIGTERM');
  await withDeadline(ended, STOP_MS, 'the end of mosquitto');
}

async function accepts(port: number, running: ChildProcess): Promise<boolean> {
  if (running.exitCode !== null) throw new Error(`mosquitto ended with ${running.exitCode}`);
  const socket = createConnection({ port, host: '127.0.0.1' });
  const isThere = await new Promise<boolean>((answer) => {
    socket.once('connect', () => answer(true)).once('error', () => answer(false));
  });
  socket.destroy();
  return isThere;
}
