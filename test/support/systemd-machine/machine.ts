import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { type CommandEnd, runCommand } from '../commands.js';
import { type Dockerd, startDockerd } from '../engines/dockerd.js';
import { ENGINE_CGROUP, engineDirectory } from '../engines/enclosure.js';
import { until } from '../until.js';
import { systemdImage } from './image.js';

const NAME = 'machine';
const IMAGE = 'systemd:latest';
const BOOT_MS = 60_000;
/** What systemd needs to be the first process of a container, and to end it: with SYS_BOOT that is all of the reboot. */
const RIGHTS = ['SYS_ADMIN', 'SYS_BOOT', 'DAC_READ_SEARCH', 'NET_ADMIN'].flatMap((each) => ['--cap-add', each]);
/** Kept from one boot to the next: the file system, and nothing below /run and /tmp. */
const MOUNTS = ['/run', '/run/lock', '/tmp'].flatMap((each) => ['--tmpfs', each]);

/** A Debian with a systemd of its own in a container, which boots again when it is told to reboot. */
export type Machine = Readonly<{
  /** Runs a program in it to its end. */
  exec: (...command: readonly string[]) => Promise<CommandEnd>;
  /** The same, whose stdout counts; fails the test with what the program says when it does not end with 0. */
  read: (...command: readonly string[]) => Promise<string>;
  /** Writes files into it, each a path and its text, with this mode. */
  write: (files: Readonly<Record<string, string>>, mode?: number) => Promise<void>;
  /** How often it has booted again. */
  reboots: () => Promise<number>;
  whenBooted: () => Promise<void>;
  stop: () => Promise<void>;
}>;

/**
 * Boots one that has no network, but reaches these ports of 127.0.0.1 outside as the same ports of its own, over Unix sockets.
 * A sentence says what this machine lacks for it.
 */
export async function startMachine(ports: readonly number[]): Promise<Machine | string> {
  const image = systemdImage();
  if (typeof image === 'string') return image;
  const engine = await startDockerd();
  if (typeof engine === 'string') return engine;
  const directory = engineDirectory('machine');
  const links = mkdirs(join(directory, 'links'));
  const servers = ports.map((port) => passOn(join(links, `${port}.sock`), port));
  const stop = async (): Promise<void> => {
    await engine.stop();
    for (const server of servers) server.close();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const machine = createMachine(engine, mkdirs(join(directory, 'files')), stop);
    await docker(engine, ['import', image.file, IMAGE]);
    await docker(engine, ['create', '--name', NAME, ...runOptions(links), IMAGE, '/sbin/init']);
    await machine.write(linkUnits(ports));
    await docker(engine, ['start', NAME]);
    await machine.whenBooted();
    for (const port of ports) await machine.read('systemctl', 'start', `link-${port}.socket`);
    for (const port of ports) await machine.read('systemctl', 'enable', `link-${port}.socket`);
    return machine;
  } catch (error) {
    await stop();
    throw error;
  }
}

function createMachine(engine: Dockerd, staging: string, stop: () => Promise<void>): Machine {
  const exec = (...command: readonly string[]) =>
    runCommand(engine.cli, ['-H', `unix://${engine.socket}`, 'exec', NAME, ...command]);
  const read = async (...command: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await exec(...command);
    assert.equal(exitCode, 0, `${command.join(' ')}: ${stderr}${stdout}`);
    return stdout;
  };
  return {
    ...{ exec, read, stop },
    async write(files, mode = 0o644) {
      const root = mkdtempSync(join(staging, 'files-'));
      for (const [path, text] of Object.entries(files)) {
        mkdirs(join(root, dirname(path)));
        writeFileSync(join(root, path), text, { mode });
      }
      await docker(engine, ['cp', `${root}/.`, `${NAME}:/`]);
    },
    reboots: async () => Number(await docker(engine, ['inspect', '-f', '{{.RestartCount}}', NAME])),
    async whenBooted() {
      const isUp = async (): Promise<boolean> =>
        /^(running|degraded)$/.test((await exec('systemctl', 'is-system-running')).stdout.trim());
      await until(isUp, { what: 'systemd is up', deadlineMs: BOOT_MS });
      // Whoever ends this systemd ends what lives in its namespace, and nothing of the machine around it.
      assert.notEqual((await read('readlink', '/proc/1/ns/pid')).trim(), readlinkSync('/proc/self/ns/pid'));
      assert.equal((await read('cat', '/proc/1/comm')).trim(), 'systemd');
    },
  };
}

function runOptions(links: string): string[] {
  return [
    ...['--hostname', NAME, '--network', 'none', '--restart', 'always', '--cgroup-parent', `/${ENGINE_CGROUP}`],
    ...['--security-opt', 'seccomp=unconfined', '-e', 'container=docker', ...RIGHTS, ...MOUNTS],
    ...[...cgroupOptions(), '-v', `${process.execPath}:/usr/local/bin/node:ro`, '-v', `${links}:/links`],
  ];
}

/** A systemd makes cgroups below its own. Those of v1 are mounts of their own there, which `ro` leaves as they are. */
function cgroupOptions(): string[] {
  const isV2 = existsSync('/sys/fs/cgroup/cgroup.controllers');
  return isV2
    ? ['--cgroupns', 'host', '-v', '/sys/fs/cgroup:/sys/fs/cgroup']
    : ['-v', '/sys/fs/cgroup:/sys/fs/cgroup:ro'];
}

/** systemd's own proxy, from a port of the machine to the socket that stands for the same port outside. */
function linkUnits(ports: readonly number[]): Record<string, string> {
  const units = ports.flatMap((port): [string, string][] => [
    [`link-${port}.socket`, `[Socket]\nListenStream=127.0.0.1:${port}\n[Install]\nWantedBy=sockets.target\n`],
    [`link-${port}.service`, `[Service]\nExecStart=/lib/systemd/systemd-socket-proxyd /links/${port}.sock\n`],
  ]);
  return Object.fromEntries(units.map(([name, text]) => [`/etc/systemd/system/${name}`, text]));
}

function passOn(path: string, port: number): Server {
  const server = createServer((inside) => {
    const outside = connect(port, '127.0.0.1');
    inside.pipe(outside).pipe(inside);
    inside.on('error', () => outside.destroy());
    outside.on('error', () => inside.destroy());
  });
  return server.listen(path);
}

async function docker(engine: Dockerd, args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runCommand(engine.cli, ['-H', `unix://${engine.socket}`, ...args]);
  assert.equal(exitCode, 0, `docker ${args.join(' ')}: ${stderr}`);
  return stdout.trim();
}

function mkdirs(directory: string): string {
  mkdirSync(directory, { recursive: true });
  return directory;
}
