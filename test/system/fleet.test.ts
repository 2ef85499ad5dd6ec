import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { connectAsync } from 'mqtt';
import { z } from 'zod';
import { TOPIC_BODIES } from '../../protocol/messages.js';
import { parseTopic } from '../../protocol/topics.js';
import type { TestScope } from '../support/broker.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';
import { startHandAgent, startUp, type Up } from '../support/up.js';

const Token = z.object({ token: z.string() });
const Credential = z.object({
  client_id: z.string(),
  username: z.string(),
  password: z.string(),
  filters: z.array(z.string()),
});
const Answer = z.object({
  invocation: z.object({ id: z.string(), status: z.string() }),
  executions: z.array(
    z.object({
      node: z.string(),
      status: z.string(),
      exit_code: z.int(),
      stdout: z.string(),
      error_code: z.string().nullable(),
      duration_ms: z.number(),
    }),
  ),
});
const Nodes = z.object({ items: z.array(z.object({ node: z.string(), hooks: z.array(z.string()) })) });

const SCOPE = { prefix: 'muster/v1', org: 'default' };

test('one broadcast is one publish, for the fleet and for a group, and every topic is of the contract', async (t) => {
  const up = await startUp(t, temporaryDirectory(t));
  const { token } = Token.parse(await up.json('enroll-token', 'create', '--group', 'pumps', '--uses', '2'));
  for (const node of ['pump-1', 'pump-2']) {
    await startHandAgent(t, ['--enroll', up.url, '--token', token, '--node-id', node, '--data', temporaryDirectory(t)]);
  }
  const seen = await watch(t, up);

  const fleet = Answer.parse(await up.json('run', 'gather_info', '--all'));
  const group = Answer.parse(await up.json('run', 'gather_info', '--group', 'pumps'));

  assert.deepEqual(
    fleet.executions.map(({ node, status }) => [node, status]).sort(),
    [
      ['pump-1', 'success'],
      ['pump-2', 'success'],
      [up.node, 'success'],
    ].sort(),
  );
  assert.deepEqual(group.executions.map(({ node }) => node).sort(), ['pump-1', 'pump-2']);
  const kinds = (): (string | undefined)[] => seen.map((topic) => parseTopic(SCOPE, topic)?.kind);
  await until(() => kinds().filter((kind) => kind === 'result').length >= 5, { what: 'the watcher sees five results' });
  assert.equal(kinds().filter((kind) => kind === 'fleet_request').length, 1);
  assert.equal(kinds().filter((kind) => kind === 'group_request').length, 1);
  assert.equal(kinds().filter((kind) => kind === 'node_request').length, 0);
  assert.ok(kinds().every((kind) => kind !== undefined && kind in TOPIC_BODIES));
});

test('P-1: a hook runs with its parameters, and does not run once it was changed behind the back of the controller', async (t) => {
  const up = await startUp(t, temporaryDirectory(t));
  const hook = join(up.hooksDir, 'deploy');
  const ran = join(temporaryDirectory(t), 'ran');
  writeFileSync(
    `${hook}.json`,
    JSON.stringify({ description: 'Deploys', parameters: [{ name: 'target', type: 'string', required: true }] }),
  );
  writeFileSync(hook, '#!/bin/sh\necho "to $MUSTER_PARAM_TARGET"; exit 3\n');
  chmodSync(hook, 0o755);
  await until(async () => Nodes.parse(await up.json('nodes')).items[0]?.hooks.includes('deploy'), {
    what: 'the hook is announced',
  });

  const [first] = Answer.parse(await up.json('run', 'deploy', 'target=blue', '--node', up.node, '--yes')).executions;
  assert.deepEqual([first?.status, first?.exit_code, first?.stdout], ['failed', 3, 'to blue\n']);
  assert.ok((first?.duration_ms ?? 0) > 0);

  const missing = await up.muster('run', 'deploy', '--node', up.node, '--yes');
  assert.equal(missing.exitCode, 2);
  assert.match(missing.stderr, /missing_required_parameter/);

  writeFileSync(hook, `#!/bin/sh\ntouch ${ran}\n`);
  const refused = await up.muster('run', 'deploy', 'target=blue', '--node', up.node, '--yes', '--json');
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stdout + refused.stderr, /integrity_check_failed|hook_changed/);
  await assert.rejects(
    import('node:fs/promises').then(({ stat }) => stat(ran)),
    { code: 'ENOENT' },
  );
});

/** The topics of everything that passes from now on, as each MQTT client sees it. */
async function watch(t: TestScope, up: Up): Promise<string[]> {
  const {
    client_id: clientId,
    username,
    password,
    filters,
  } = Credential.parse(await up.json('broker-credential', 'controller'));
  const client = await connectAsync(up.mqttUrl, { clientId, username, password });
  t.after(() => client.endAsync(true));
  const topics: string[] = [];
  client.on('message', (topic, _, { retain }) => {
    if (!retain) topics.push(topic);
  });
  await client.subscribeAsync(filters, { qos: 1 });
  return topics;
}
