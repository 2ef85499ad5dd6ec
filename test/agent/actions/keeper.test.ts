import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { findProgram } from '../../../agent/actions/find-program.js';
import { KEEPER_SCRIPT } from '../../../agent/actions/keeper.js';
import type { TestScope } from '../../support/broker.js';
import { writeHook } from '../../support/hooks.js';
import { assertNoCanary, createCanary, findCanaries } from '../../support/isolations.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const PATH = '/usr/bin:/bin';
/** No process has this pid, so that a keeper has nobody to find but by the marker. */
const NOBODY = '99999999';

test('process_group: who left the group is found by a grep for each entry of the marker, not one for each process', async (t) => {
  const directory = temporaryDirectory(t);
  const count = join(directory, 'count');
  writeHook(directory, 'grep', `#!/bin/sh\necho >> ${count}\nexec /usr/bin/env PATH=${PATH} grep "$@"\n`);
  const marker = markerOf(directory);
  const canary = await startCrowd(t, 20, marker);

  await keep(marker, `${directory}:${PATH}`);

  await assertNoCanary(canary);
  // Two in a round, and a keeper gives up after 20 rounds; one for each process would be more in the first.
  const greps = readFileSync(count, 'utf8').length;
  assert.ok(greps <= 2 * 20, `${greps} greps`);
});

test('process_group: a process with only one entry of the marker lives on, and so does who has it among its arguments', async (t) => {
  const marker = markerOf(temporaryDirectory(t));
  const mine = await startCrowd(t, 1, marker);
  const other = await startCrowd(t, 1, marker.slice(0, 1));
  const longer = await startCrowd(
    t,
    1,
    marker.map((entry) => `${entry}0`),
  );

  const end = await keep(marker, PATH);

  await assertNoCanary(mine);
  assert.equal(end.signal, null);
  assert.deepEqual(
    [other, longer].map((canary) => findCanaries(canary).length),
    [1, 1],
  );
});

test('process_group: the grep of busybox finds them too', async (t) => {
  const busybox = await findProgram('busybox', process.env.PATH ?? PATH);
  if (busybox === undefined) return t.skip('busybox is not installed');
  const directory = join(temporaryDirectory(t), 'bin');
  mkdirSync(directory);
  symlinkSync(busybox, join(directory, 'grep'));
  const marker = markerOf(directory);
  const canary = await startCrowd(t, 5, marker);

  await keep(marker, directory, [busybox, 'sh']);

  await assertNoCanary(canary);
});

function markerOf(directory: string): string[] {
  return [`MARK_A=of ${directory}`, `MARK_B=.*${directory}`];
}

/** So many sleepers with these entries in their environment; gives what they are found by. */
async function startCrowd(t: TestScope, size: number, marker: readonly string[]): Promise<string> {
  const canary = createCanary();
  const env = Object.fromEntries(marker.map((entry) => entry.split(/=(.*)/s, 2)));
  const sleepers = Array.from({ length: size }, () => spawn('/bin/sleep', [canary], { env, stdio: 'ignore' }));
  t.after(() => {
    for (const sleeper of sleepers) sleeper.kill('SIGKILL');
  });
  await until(() => findCanaries(canary).length === size, { what: 'the crowd' });
  return canary;
}

/** Runs a keeper whose agent has just died, to its end. */
async function keep(
  marker: readonly string[],
  path: string,
  [file = '/bin/sh', ...applet]: readonly string[] = [],
): Promise<{ signal: NodeJS.Signals | null }> {
  const args = [...applet, '-c', KEEPER_SCRIPT, 'muster-keeper', NOBODY, '', ...marker];
  const keeper = spawn(file, args, { stdio: 'ignore', env: { PATH: path } });
  const [, signal] = await once(keeper, 'exit');
  return { signal };
}
