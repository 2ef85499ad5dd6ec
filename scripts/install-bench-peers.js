// Before npm run bench: BullMQ and Redis, which one part of it measures beside us. Without them that part says so.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { installDebianPackages } from '../test/support/install-debian-packages.js';

const PEERS = fileURLToPath(new URL('../test/bench/peers', import.meta.url));

await installDebianPackages(['redis-server']);
// BullMQ's optional parts are binaries for machines of all kinds; what it does here needs none of them.
spawnSync('npm', ['install', '--prefix', PEERS, '--ignore-scripts', '--omit=optional', '--no-package-lock'], {
  stdio: ['ignore', 'ignore', 'inherit'],
});
