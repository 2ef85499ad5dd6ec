import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { engineDirectory, lacksEnclosure, startEnclosed } from '../support/engines/enclosure.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const CHILD = fileURLToPath(new URL('../support/engines/enclosure-child.ts', import.meta.url));

test('an engine ends with the test that is killed, its mounts as well, and its files with the next one', async (t) => {
  const lacking = lacksEnclosure();
  if (lacking !== undefined) return t.skip(lacking);
  const seconds = `${process.pid}.75`; // a length that nobody else sleeps for
  const child = spawn(process.execPath, ['--import', 'tsx', CHILD, seconds], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const [line] = await once(child.stdout, 'data');
  const directory = String(line).trim();
  await until(() => isSleeping(seconds), { what: 'its own child' });

  child.kill('SIGKILL');
  await once(child, 'exit');

  await until(() => !isSleeping(seconds), { what: 'the end of what it has started' });
  assert.deepEqual(readdirSync(join(directory, 'm')), [], 'its mounts are of another namespace');
  const next = engineDirectory('next');
  t.after(() => rmdirSync(next));
  assert.deepEqual([existsSync(directory), existsSync(next)], [false, true]);
});

test('to stop an engine is to end all that it has started, before anything else is done', async (t) => {
  const lacking = lacksEnclosure();
  if (lacking !== undefined) return t.skip(lacking);
  const seconds = `${process.pid}.25`;
  const enclosed = startEnclosed({
    ...{ init: 'env', command: ['sh', '-c', `setsid sleep ${seconds} & echo ready; trap '' TERM; sleep 3600`] },
    ...{ cwd: temporaryDirectory(t), env: { PATH: process.env.PATH ?? '' } },
  });
  await until(() => enclosed.said().includes('ready'), { what: 'it has started' });
  await until(() => isSleeping(seconds), { what: 'its own child' });

  await enclosed.stop();

  assert.deepEqual([enclosed.hasEnded(), isSleeping(seconds)], [true, false]);
});

test('an engine sees nothing of those of the machine, and leaves nothing where they are', async (t) => {
  const lacking = lacksEnclosure();
  if (lacking !== undefined) return t.skip(lacking);
  const name = `muster-test-${process.pid}`;
  const places = ['/run/containerd', '/run/docker', '/run/runc', '/dev/shm'];
  const files = places.map((place) => join(place, name));
  t.after(() => {
    for (const file of files) rmSync(file, { force: true });
  });
  const script = `ls -A ${places.join(' ')} | grep -v -e : -e '^$' && exit 1; touch ${files.join(' ')} && echo ready; sleep 3600`;
  const enclosed = startEnclosed({
    ...{ init: 'env', command: ['sh', '-c', script] },
    ...{ cwd: temporaryDirectory(t), env: { PATH: process.env.PATH ?? '' } },
  });
  t.after(() => enclosed.stop());

  await until(() => enclosed.said() !== '' || enclosed.hasEnded(), { what: 'it has looked' });

  assert.equal(enclosed.said(), 'ready\n');
  assert.deepEqual(files.filter(existsSync), []);
});

function isSleeping(seconds: string): boolean {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.some((pid) => commandLineOf(pid) === `sleep\0${seconds}\0`);
}

function commandLineOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return ''; // it has ended meanwhile
  }
}
