import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { LogsTail } from '../../../agent/actions/builtins/logs-tail.js';
import { ContainerDetails } from '../../../agent/actions/containers/container-inspect.js';
import { ContainerList } from '../../../agent/actions/containers/container-list.js';
import { createSecrets, type Mask } from '../../../runtime/masking/mask.js';
import { runBuiltin } from '../../support/builtins.js';
import { runContainerAction } from '../../support/containers.js';
import { startStandInEngine } from '../../support/engines/stand-in.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

/** Shorter than the mark. */
const SHORT = 'hunter22';
const LONG = 's3cr3t-that-is-cut-in-two';
const FULL = SHORT.repeat(20);

test('A-61, A-62: what container_inspect and container_list say is masked before it is cut to size, and stays JSON', async (t) => {
  const engine = await startStandInEngine(t);
  const env = Array.from({ length: 60 }, (_, at) => `V${at}=${FULL}`);
  const labels = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`label${at}`, FULL]));
  for (const name of ['one', 'two', 'three', 'four']) await engine.create({ name, env, labels });
  const mask = maskOf(SHORT);

  for (const maxOutputBytes of [2048, 8192, 12_000, 64 * 1024]) {
    const about = { maxOutputBytes, mask };
    const look = await runContainerAction(engine.socket, 'container_inspect', { container: 'one' }, about);
    const list = await runContainerAction(engine.socket, 'container_list', {}, about);

    assert.deepEqual([look.truncated, list.truncated], [[], []], `${maxOutputBytes}`);
    const details = ContainerDetails.parse(JSON.parse(look.stdout));
    assert.equal(details.left_out, 80 - details.env.length - Object.keys(details.labels).length);
    const { containers, left_out } = ContainerList.parse(JSON.parse(list.stdout));
    assert.equal(containers.length + left_out, 4);
    assert.doesNotMatch(`${look.stdout}${list.stdout}`, new RegExp(SHORT));
  }
});

test('A-61: of a value that the bound of a text would cut in two nothing is shown', async (t) => {
  const engine = await startStandInEngine(t);
  await engine.create({
    name: 'one',
    env: [`V=${'x'.repeat(1005)}${LONG}`],
    labels: { note: `${'x'.repeat(1010)}${LONG}` },
  });

  const about = { mask: maskOf(LONG) };
  const look = await runContainerAction(engine.socket, 'container_inspect', { container: 'one' }, about);
  const list = await runContainerAction(engine.socket, 'container_list', {}, about);

  assert.match(look.stdout, /x\[redacted\]/);
  assert.doesNotMatch(`${look.stdout}${list.stdout}`, /s3cr3t/);
});

test('A-61, A-62: the lines of logs_tail are masked before they are counted, and stay JSON', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'log');
  writeFileSync(file, `${FULL}\n`.repeat(200));
  const settings = { log_files: [directory] };

  const { stdout } = await runBuiltin('logs_tail', { file }, { settings, maxOutputBytes: 4096, mask: maskOf(SHORT) });

  const { lines, has_older } = LogsTail.parse(JSON.parse(stdout));
  assert.ok(lines.length > 5 && lines.length < 25, `${lines.length}`);
  assert.equal(has_older, true);
  assert.doesNotMatch(stdout, new RegExp(SHORT));
});

function maskOf(value: string): Mask {
  const secrets = createSecrets();
  secrets.register('test', [value]);
  return secrets.mask;
}
