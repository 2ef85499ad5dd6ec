import { engineDirectory, startEnclosed } from './enclosure.js';

// Starts something that mounts and goes on in a session of its own, says where, and waits to be killed.
const directory = engineDirectory('child');
const script = `mkdir m; mount -t tmpfs none m; touch m/mounted; setsid sleep ${process.argv[2]} & echo ready; sleep 3600`;
const enclosed = startEnclosed({
  ...{ init: 'env', command: ['sh', '-c', script], cwd: directory },
  env: { PATH: process.env.PATH ?? '' },
});
const timer = setInterval(() => {
  if (!enclosed.said().includes('ready')) return;
  process.stdout.write(`${directory}\n`);
  clearInterval(timer);
  setInterval(() => undefined, 60_000);
}, 10);
