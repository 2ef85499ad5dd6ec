import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PolicyView } from '../../controller/http/policy-schemas.js';
import { runMuster, startTestController } from '../support/muster.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

test('what policy show prints is a policy that can be changed, checked and set', async (t) => {
  const { muster } = await startTestController(t);
  const file = join(temporaryDirectory(t), 'policy.yaml');
  const shown = await muster('policy', 'show');
  assert.match(
    shown.stdout,
    /^# Version 0 of the policy, as shipped\nv: 1\n[\s\S]*\n# +- gather_info\n[\s\S]*\n# +risk: read\n$/,
  );
  writeFileSync(file, shown.stdout.replace('distinct_approver: false', 'distinct_approver: true'));
  assert.deepEqual(await muster('policy', 'check', file), {
    exitCode: 0,
    stdout: 'The policy has no faults.\n',
    stderr: '',
  });

  const set = await muster('policy', 'set', file);

  assert.deepEqual([set.exitCode, set.stdout], [0, 'Version 1 of the policy is in force.\n'], set.stderr);
  assert.equal((await muster('policy', 'set', file)).stdout, 'That is the policy in force.\n');
  const now = await muster('policy', 'show');
  assert.match(now.stdout, /^# Version 1 of the policy, \S+Z by owner \(api\)\n[\s\S]*\ndistinct_approver: true\n/);
  const { version, policy } = PolicyView.parse(JSON.parse((await muster('policy', 'show', '--json')).stdout));
  assert.deepEqual([version, policy.distinct_approver], [1, true]);
  assert.match((await muster('policy', 'show', '0')).stdout, /\ndistinct_approver: false\n/);
  assert.match((await muster('policy', 'versions')).stdout, /^VERSION[^\n]*\n1 +\S+Z +owner +api +[0-9a-f]{64}\n$/);
});

test('a policy that others have changed meanwhile is not overwritten', async (t) => {
  const { muster } = await startTestController(t);
  const [mine, theirs] = policyFiles(t, 'approval_time: 6m', 'approval_time: 7m');
  await muster('policy', 'set', theirs);

  const late = await muster('policy', 'set', mine, '--over', '0');

  assert.equal(late.exitCode, 1);
  assert.match(late.stderr, /Somebody has changed the policy since you read it/);
  assert.equal((await muster('policy', 'set', mine, '--over', '1')).exitCode, 0);
  assert.equal((await muster('policy', 'set', mine, '--over', 'one')).exitCode, 2);
});

test('policy check names every fault without a controller, as text and as JSON, and ends with 78', async (t) => {
  const [faulty, good] = policyFiles(t, 'risk: []\napproval_time: soon', 'approval_time: 1m');

  const text = await runMuster(t, ['policy', 'check', faulty]);
  const json = await runMuster(t, ['policy', 'check', faulty, '--json']);

  assert.deepEqual([text.exitCode, text.stdout], [78, '']);
  assert.match(
    text.stderr,
    /has 2 faults:\n {2}- approval_time: must be [^\n]*\n {2}- risk: there is no such field \[config_invalid\]\n/,
  );
  assert.equal(json.exitCode, 78);
  const { valid, faults } = JSON.parse(json.stdout);
  assert.deepEqual([valid, faults.length], [false, 2]);
  assert.equal(
    (await runMuster(t, ['policy', 'set', faulty, '--url', 'http://127.0.0.1:1', '--token', 'x'])).exitCode,
    78,
  );
  const valids = await runMuster(t, ['policy', 'check', good, '--json']);
  assert.deepEqual(JSON.parse(valids.stdout), { valid: true, faults: [] });
});

function policyFiles(t: Parameters<typeof temporaryDirectory>[0], first: string, second: string): [string, string] {
  const directory = temporaryDirectory(t);
  const write = (name: string, text: string): string => {
    const file = join(directory, name);
    writeFileSync(file, `v: 1\n${text}\n`);
    return file;
  };
  return [write('first.yaml', first), write('second.yaml', second)];
}
