import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { GrantView } from '../../controller/http/grant-schemas.js';
import { InvocationAnswer } from '../../controller/http/schemas.js';
import { OWNER } from '../support/core.js';
import { runMuster, startTestController } from '../support/muster.js';

const PRIME = { name: 'prime', description: 'changes something', parameters: [] };
const HOUR_MS = 3_600_000;

test('S-A-39: an approval on the command line grants the next ones, and the grant is listed and revoked', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('pump-1', { runs: true, actions: [PRIME] });
  const muster = (line: string) => controller.muster(...line.split(' '));
  const made = await muster('sandbox create ci --all --json');
  const { id: sandbox, token } = z.object({ id: z.string(), token: z.string() }).parse(JSON.parse(made.stdout));
  const env = { MUSTER_DATA: controller.dataDir, MUSTER_TOKEN: token };
  const ask = async () => {
    const { stdout } = await runMuster(t, ['run', 'prime', '--node', 'pump-1', '--detach', '--json'], env);
    return InvocationAnswer.parse(JSON.parse(stdout)).invocation;
  };
  const { id } = await ask();

  const without = await muster(`approve ${id} --max-calls 2`);
  assert.deepEqual([without.exitCode, without.stdout], [2, '']);
  assert.match(without.stderr, /--max-calls, --for and --org-wide say what --grant grants/);
  for (const budget of ['0', '-3', '2.5']) {
    assert.equal((await muster(`approve ${id} --grant --max-calls=${budget}`)).exitCode, 2, budget);
  }
  const approved = await muster(`approve ${id} --grant --max-calls 2 --for 1h`);
  const next = await ask();
  const listed = await muster('grant list');
  const { items } = z
    .object({ items: z.array(GrantView) })
    .parse(JSON.parse((await muster('grant list --json')).stdout));
  const [grant] = items;
  assert.ok(grant !== undefined && items.length === 1);
  const revoked = await muster(`grant revoke ${grant.id}`);

  assert.equal(approved.exitCode, 0, approved.stderr);
  assert.match(approved.stdout, new RegExp(`^Granted ${grant.id}: 2 more of this sandbox until \\S+Z\\.\nApproved\\.`));
  assert.deepEqual([next.status === 'pending', next.approved_by], [false, `grant:${grant.id}`]);
  assert.deepEqual([grant.sandbox, grant.used, grant.created_by], [sandbox, 1, OWNER.id]);
  assert.equal(Date.parse(grant.expires_at) - Date.parse(grant.created_at), HOUR_MS);
  assert.match(
    listed.stdout,
    new RegExp(`^${grant.id} +active +${sandbox} +prime +nodes pump-1 +1/2 +\\S+Z +owner`, 'm'),
  );
  assert.equal(revoked.stdout, `${grant.id} is revoked.\n`);
  assert.equal((await ask()).status, 'pending');
});

test('a grant is made alone on the command line: for a sandbox or everybody, on nodes or an integration', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('pump-1', { runs: true, actions: [PRIME] });
  const muster = (line: string) => controller.muster(...line.split(' '));
  const made = await muster('sandbox create ci --all --json');
  const { id: sandbox, token } = z.object({ id: z.string(), token: z.string() }).parse(JSON.parse(made.stdout));

  const usages: readonly (readonly [line: string, why: RegExp])[] = [
    ['--all --action prime', /--sandbox ID, or --org-wide/],
    [`--sandbox ${sandbox} --org-wide --all --action prime`, /--sandbox ID, or --org-wide/],
    ['--org-wide --all', /Say what it approves: --action NAME/],
    ['--org-wide --action prime', /exactly one of --node, --group, --label and --all/],
    ['--org-wide --all --integration sentry --action prime', /for nodes or for an integration/],
    ['--org-wide --all --action prime --max-calls 0', /positive integer/],
  ];
  for (const [line, why] of usages) {
    const { exitCode, stdout, stderr } = await muster(`grant create ${line}`);
    assert.deepEqual([exitCode, stdout], [2, ''], line);
    assert.match(stderr, why);
  }
  const refused = await muster('grant create --org-wide --integration sentry --action update_*');
  assert.match(refused.stderr, /There is no integration sentry/);
  const text = await muster('grant create --org-wide --integration * --action update_*');
  assert.match(text.stdout, /^Granted [0-9a-f-]{36} until \S+Z\.\n$/, text.stderr);
  const line = `--sandbox ${sandbox} --node pump-1 --action prime --action drain* --max-calls 1 --for 2h --json`;
  const grant = GrantView.parse(JSON.parse((await muster(`grant create ${line}`)).stdout));

  const env = { MUSTER_DATA: controller.dataDir, MUSTER_TOKEN: token };
  const { stdout } = await runMuster(t, ['run', 'prime', '--node', 'pump-1', '--detach', '--json'], env);
  assert.equal(InvocationAnswer.parse(JSON.parse(stdout)).invocation.approved_by, `grant:${grant.id}`);
  assert.deepEqual([grant.scope, grant.sandbox, grant.target], ['session', sandbox, { nodes: ['pump-1'] }]);
  assert.deepEqual([grant.actions, grant.max_calls], [['prime', 'drain*'], 1]);
  assert.equal(Date.parse(grant.expires_at) - Date.parse(grant.created_at), 2 * HOUR_MS);
});
