// What the tests need beyond npm. Suites that still miss something skip with the reason.
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Debian package → a command that it brings, or a path from where commands are. */
const COMMANDS = {
  mosquitto: 'mosquitto',
  'mosquitto-clients': 'mosquitto_sub',
  prometheus: 'promtool',
  strace: 'strace',
  bubblewrap: 'bwrap',
  busybox: 'busybox',
  curl: 'curl',
  jq: 'jq',
  'iputils-ping': 'ping',
  iproute2: 'ip',
  nftables: 'nft',
  'util-linux': 'unshare',
  mount: 'losetup',
  e2fsprogs: 'mkfs.ext4',
  faketime: 'faketime',
  postgresql: 'pg_ctlcluster',
  zsh: 'zsh',
  fish: 'fish',
  'dbus-daemon': 'dbus-daemon',
  'libnotify-bin': 'notify-send',
  'python3-dbusmock': '../lib/python3/dist-packages/dbusmock',
  chromium: 'chromium',
  'redis-server': 'redis-server',
};

/** For the benchmarks alone. */
const BENCH_PACKAGES = ['redis-server'];
const TEST_PACKAGES = Object.keys(COMMANDS).filter((name) => !BENCH_PACKAGES.includes(name));

/** Chromium alone is 110 MB to fetch, and may come over a slow line. */
const LIMIT_MS = 360_000;
const POLICY_FILE = '/usr/sbin/policy-rc.d';

/**
 * Installs what is missing of these (by default: of what the tests need), quietly and in bounded time, when this is
 * root on a system with apt. Never throws: what cannot be installed stays missing. MUSTER_TEST_INSTALL=no leaves the
 * machine as it is.
 */
export async function installDebianPackages(packages = TEST_PACKAGES) {
  const missing = packages.filter((name) => !hasCommand(COMMANDS[name]));
  if (missing.length === 0 || process.env.MUSTER_TEST_INSTALL === 'no') return;
  if (process.getuid?.() !== 0 || !hasCommand('apt-get')) {
    process.stderr.write(`tests that need ${missing.join(', ')} will be skipped\n`);
    return;
  }
  process.stderr.write(`installing ${missing.join(', ')}\n`);
  const signal = AbortSignal.timeout(LIMIT_MS);
  const forbidsServices = forbidServices();
  try {
    const install = (...names) => aptGet(['install', ...names], signal);
    if ((await install(...missing)) || ((await aptGet(['update'], signal)) && (await install(...missing)))) return;
    for (const name of missing) await install(name); // one that this system has not got keeps no other one out
  } finally {
    if (forbidsServices) rmSync(POLICY_FILE, { force: true });
    tellMissing(missing);
  }
}

function tellMissing(missing) {
  const still = missing.filter((name) => !hasCommand(COMMANDS[name]));
  if (still.length > 0) process.stderr.write(`not installed: ${still.join(', ')}; their tests will be skipped\n`);
}

/** Debian starts a service when it is installed, on ports that are the user's; this asks it not to. */
function forbidServices() {
  if (existsSync(POLICY_FILE)) return false;
  try {
    writeFileSync(POLICY_FILE, '#!/bin/sh\nexit 101\n');
    chmodSync(POLICY_FILE, 0o755);
    return true;
  } catch {
    return false;
  }
}

function aptGet(args, signal) {
  const child = spawn('apt-get', ['-qq', '-y', '--no-install-recommends', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: 'ignore',
    signal,
  });
  return new Promise((ended) => {
    child.on('error', () => ended(false));
    child.on('close', (code) => ended(code === 0));
  });
}

function hasCommand(name) {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return directories.some((directory) => directory !== '' && existsSync(join(directory, name)));
}
