import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import { withDeadline } from '../../../runtime/deadline.js';
import { findCommand, runCommand } from '../../support/commands.js';
import { runnable } from '../../support/runnable.js';
import { pipeBoth } from './pipe-both.js';

/**
 * Two network namespaces joined by a cable: a node's, and the one in which its broker seems to be. They belong to
 * processes that end with this one, however it ends, and vanish with them.
 */
export type Network = Readonly<{
  /** What goes before a program and its arguments to run it on the node's side, which has no other network. */
  enter: readonly string[];
  /** Gives a port of 127.0.0.1 here an address that the node's side can reach; a socket of ours lies in `directory`. */
  expose: (port: number, directory: string) => Promise<Readonly<{ host: string; port: number }>>;
  /** Of 100 packets so many (at least 1) are dropped at random from now on, in either direction. */
  lose: (percent: number) => Promise<void>;
  /** No more than this passes in each direction. */
  slow: (kbitPerSecond: number) => Promise<void>;
  /** Nothing is lost or slow any more. */
  heal: () => Promise<void>;
  stop: () => Promise<void>;
}>;

const COMMANDS = ['unshare', 'nsenter', 'ip', 'nft', 'tc'];
const CABLE = 'cable';
const NODE_HOST = '10.77.0.1';
const BROKER_HOST = '10.77.0.2';
const START_MS = 20_000;
const RELAY = new URL('relay-child.ts', import.meta.url);
const RelayReady = z.object({ port: z.number() });

/** Why there can be no namespaces here; undefined when there can. */
export async function networkLacks(): Promise<string | undefined> {
  const missing = COMMANDS.filter((name) => findCommand(name) === undefined);
  if (missing.length > 0) return `${missing.join(', ')} not installed`;
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  try {
    const network = await startNetwork();
    await network.lose(1).finally(network.stop);
    return undefined;
  } catch (error) {
    return `no network namespace can be made: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Makes both namespaces and the cable. */
export async function startNetwork(): Promise<Network> {
  const holders: ChildProcess[] = [];
  const relays: ChildProcess[] = [];
  const servers: Server[] = [];
  const stop = async (): Promise<void> => {
    for (const server of servers) server.close();
    await Promise.all([...relays, ...holders].map(kill));
  };
  try {
    const node = await holdNamespace(holders);
    const broker = await holdNamespace(holders);
    await run([...node.enter, 'ip', 'link', 'add', CABLE, 'type', 'veth', 'peer', 'name', CABLE, 'netns', broker.pid]);
    await bringUp(node.enter, NODE_HOST);
    await bringUp(broker.enter, BROKER_HOST);
    const sides = [node.enter, broker.enter];
    return {
      ...{ enter: node.enter, stop },
      async expose(port, directory) {
        const path = join(directory, `relay-${servers.length}`);
        servers.push(await bridge(path, port));
        const relay = await startRelay(broker.enter, path);
        relays.push(relay.child);
        return { host: BROKER_HOST, port: relay.port };
      },
      async lose(percent) {
        for (const side of sides) await run([...side, 'nft', lossRules(percent)]);
      },
      async slow(kbitPerSecond) {
        for (const side of sides) {
          const shape = ['tbf', 'rate', `${kbitPerSecond}kbit`, 'burst', '4kb', 'latency', '800ms'];
          await run([...side, 'tc', 'qdisc', 'replace', 'dev', CABLE, 'root', ...shape]);
        }
      },
      async heal() {
        for (const side of sides) {
          await run([...side, 'nft', 'flush ruleset']);
          await run([...side, 'tc', 'qdisc', 'replace', 'dev', CABLE, 'root', 'pfifo']);
        }
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A namespace lives as long as a process in it: this one ends when its stdin does, which is when we end. */
async function holdNamespace(holders: ChildProcess[]): Promise<{ pid: string; enter: string[] }> {
  const holder = spawn(commandOf('unshare'), ['--net', 'sh', '-c', 'echo made; exec cat'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  holders.push(holder);
  await withDeadline(once(holder.stdout, 'data'), START_MS, 'a network namespace');
  const pid = String(holder.pid);
  return { pid, enter: [commandOf('nsenter'), `--net=/proc/${pid}/ns/net`] };
}

async function bringUp(enter: readonly string[], host: string): Promise<void> {
  await run([...enter, 'ip', 'address', 'add', `${host}/30`, 'dev', CABLE]);
  await run([...enter, 'ip', 'link', 'set', CABLE, 'up']);
  await run([...enter, 'ip', 'link', 'set', 'lo', 'up']);
}

function lossRules(percent: number): string {
  return `flush ruleset
add table inet loss
add chain inet loss arriving { type filter hook input priority 0; }
add rule inet loss arriving iifname ${CABLE} numgen random mod 100 <= ${percent - 1} drop`;
}

/** A socket in the file system that leads to a port of 127.0.0.1. */
function bridge(path: string, port: number): Promise<Server> {
  const server = createServer((near) => {
    const far = connect({ port, host: '127.0.0.1', noDelay: true });
    pipeBoth(near, far);
  });
  return new Promise((bound, failed) => {
    server.once('error', failed).listen(path, () => bound(server));
  });
}

async function startRelay(
  [file = '', ...enter]: readonly string[],
  path: string,
): Promise<{ child: ChildProcess; port: number }> {
  const { script, execArgv } = runnable(RELAY);
  const args = [...enter, process.execPath, ...execArgv, script, BROKER_HOST, path];
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const [ready]: unknown[] = await withDeadline(once(child, 'message'), START_MS, 'a relay between namespaces');
  return { child, port: RelayReady.parse(ready).port };
}

function commandOf(name: string): string {
  return findCommand(name) ?? name;
}

/** @throws {Error} with what the program said */
async function run([file = '', ...args]: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await runCommand(file, args);
  if (exitCode !== 0) throw new Error(`${args.join(' ')}: ${stderr.trim()}`);
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
