import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestController } from '../support/muster.js';

test('labels and groups of a node are changed on the command line, and the node is removed', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('pump-1', { groups: ['spares'], labels: { site: 'north', tier: 'gold' } });

  const labelled = await controller.muster(...words('node label pump-1 --set site=south --set rack=4 --remove tier'));
  assert.deepEqual(
    [labelled.exitCode, labelled.stdout],
    [0, 'pump-1\ngroups: spares\nlabels: site=south rack=4\n'],
    labelled.stderr,
  );
  const grouped = await controller.muster(...words('node group pump-1 --add pumps --remove spares --json'));
  assert.deepEqual(JSON.parse(grouped.stdout).groups, ['pumps']);
  const removed = await controller.muster(...words('node remove pump-1'));
  assert.deepEqual([removed.exitCode, removed.stdout], [0, 'Removed pump-1.\n']);
  assert.doesNotMatch((await controller.muster('nodes')).stdout, /pump-1/);
});

test('what makes no sense is refused with a sentence', async (t) => {
  const controller = await startTestController(t);

  const empty = await controller.muster(...words('node label pump-1'));
  assert.deepEqual([empty.exitCode, /Say what to change/.test(empty.stderr)], [2, true]);
  const wrong = await controller.muster(...words('node label pump-1 --set north'));
  assert.deepEqual([wrong.exitCode, /not a label of the form key=value/.test(wrong.stderr)], [2, true]);
  const nobody = await controller.muster(...words('node remove pump-9'));
  assert.deepEqual([nobody.exitCode, /There is no such node/.test(nobody.stderr)], [1, true]);
});

function words(line: string): string[] {
  return line.split(' ');
}
