import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { InvocationAnswer } from '../../controller/http/schemas.js';
import { endOf, spawnMuster, startTestController } from '../support/muster.js';
import { startStandIn } from '../support/stand-in.js';

test('C-37: an integration is added with its credential from the standard input or a file, tested, asked and removed', async (t) => {
  const sentry = await startStandIn(t, ({ method }) => ({
    json: method === 'PUT' ? { id: '1' } : [{ title: 'Loud' }],
  }));
  const controller = await startTestController(t);
  const muster = (line: string) => controller.muster(...line.split(' '));
  const secret = 'the-canary-credential';
  const keyFile = join(controller.dataDir, 'token');
  writeFileSync(keyFile, `${secret}\n`, { mode: 0o600 });

  const args = ['integration', 'add', 'sentry', '--base-url', sentry.url];
  const env = { MUSTER_DATA: controller.dataDir };
  const typed = await endOf(spawnMuster(t, args, env, { input: `${secret}\n` }));
  const second = await muster(`${args.join(' ')} --name errors --secret-file ${keyFile}`);
  assert.deepEqual([typed.exitCode, typed.stdout], [0, 'Added sentry.\n'], typed.stderr);
  assert.deepEqual([second.exitCode, second.stdout], [0, 'Added errors.\n'], second.stderr);

  const tested = await muster('integration test sentry');
  assert.equal(tested.exitCode, 0, tested.stderr);
  const listed = await muster('integration list');
  for (const name of [/sentry/, /errors/, /list_issues:read/, /update_issue:write/]) assert.match(listed.stdout, name);

  const read = await muster('run list_issues --integration sentry organization=acme project=pump-ui');
  assert.deepEqual([read.exitCode, read.stderr], [0, '']);
  assert.match(read.stdout, /"title": "Loud"\n.*\]\nsentry\/list_issues: completed\n$/s);
  const write = await muster('run errors/update_issue issue=1 status=resolved --yes --json');
  const answer = InvocationAnswer.parse(JSON.parse(write.stdout));
  assert.deepEqual([write.exitCode, answer.invocation.status, answer.result], [0, 'completed', { id: '1' }]);
  assert.match(
    (await muster(`show ${answer.invocation.id}`)).stdout,
    /integration errors[\s\S]*errors\/update_issue: completed/,
  );

  const off = await muster('integration disable errors');
  assert.deepEqual([off.exitCode, off.stdout], [0, 'errors is disabled.\n']);
  const refused = await muster('run errors/get_issue issue=1');
  assert.deepEqual([refused.exitCode, /\[unknown_integration\]/.test(refused.stderr)], [1, true], refused.stderr);
  assert.equal((await muster('integration remove errors')).stdout, 'Removed errors.\n');
  for (const { stdout, stderr } of [typed, second, listed, tested, read, write]) {
    assert.ok(!stdout.includes(secret) && !stderr.includes(secret));
  }
});
