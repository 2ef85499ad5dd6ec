import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import {
  ActionView,
  BrokerCredential,
  EnrollmentTokenCreated,
  EnrollmentTokenView,
  InvocationView,
  NodeView,
} from '../../controller/http/schemas.js';
import { startTestController } from '../support/muster.js';

const items = <T extends z.ZodType>(item: T, text: string): z.infer<T>[] =>
  z.strictObject({ items: z.array(item) }).parse(JSON.parse(text)).items;

test('nodes are listed with state, groups and labels; as JSON they are the items of the API', async (t) => {
  const controller = await startTestController(t);
  assert.match((await controller.muster('nodes')).stdout, /^No node is enrolled yet\. Make a token/);
  await controller.startAgent('pump-1', { groups: ['pumps'], labels: { site: 'north' } });

  const { exitCode, stdout, stderr } = await controller.muster('nodes');

  assert.deepEqual([exitCode, stderr], [0, '']);
  assert.match(
    stdout,
    /^NODE +STATE +VERSION +GROUPS +LABELS +LAST SEEN +OPEN\npump-1 +online +0\.1\.0 +pumps +site=north/,
  );
  const [node, ...others] = items(NodeView, (await controller.muster('nodes', '--json')).stdout);
  assert.deepEqual([node?.node, node?.groups, others], ['pump-1', ['pumps'], []]);
});

test('actions are listed with their parameters, of all nodes or of one', async (t) => {
  const controller = await startTestController(t);
  assert.match((await controller.muster('actions')).stdout, /^No node offers an action yet/);
  const parameters = [
    { name: 'host', type: 'ip' as const, required: true, description: '' },
    { name: 'count', type: 'integer' as const, required: false, description: '' },
  ];
  await controller.startAgent('pump-1', { actions: [{ name: 'probe', description: 'asks a peer', parameters }] });
  await controller.startAgent('pump-2');

  const all = await controller.muster('actions');
  assert.match(all.stdout, /^probe +builtin +\w+ +pump-1 +host:ip count\?:integer +asks a peer$/m);
  const [ping, ...others] = items(ActionView, (await controller.muster('actions', 'pump-2', '--json')).stdout);
  assert.deepEqual([ping?.name, ping?.nodes, others], ['ping', ['pump-2'], []]);
  const unknown = await controller.muster('actions', 'pump-3');
  assert.deepEqual([unknown.exitCode, unknown.stdout], [1, '']);
  assert.match(unknown.stderr, /\[unknown_node\]/);
});

test('what a node says of itself cannot act on the terminal', async (t) => {
  const controller = await startTestController(t);
  const description = '\x1b]0;owned\x07\x1b[2J\u202egnihton\nNODE  root';
  await controller.startAgent('pump-1', { actions: [{ name: 'ping', description, parameters: [] }] });

  for (const args of [['actions'], ['actions', '--json']]) {
    const { stdout } = await controller.muster(...args);
    assert.doesNotMatch(stdout, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
  }
  assert.match(
    (await controller.muster('actions')).stdout,
    /\\x1b\]0;owned\\x07\\x1b\[2J\\u202egnihton\\nNODE {2}root$/m,
  );
});

test('enrollment tokens are made, listed without their secret, and deleted', async (t) => {
  const { muster } = await startTestController(t);

  const plain = await muster('enroll-token', 'create');
  assert.match(plain.stdout, /^met_[a-z0-9]+_[A-Za-z0-9]+_[A-Za-z0-9_-]{43}\n$/);
  assert.equal(plain.stderr, '');
  const args = ['--uses', '3', '--expires-in', '2h', '--group', 'a', '--group', 'b', '--label', 'site=north'];
  const made = EnrollmentTokenCreated.parse(
    JSON.parse((await muster('enroll-token', 'create', ...args, '--node-id-pattern', 'pump-*', '--json')).stdout),
  );
  assert.deepEqual(
    [made.uses_left, made.groups, made.labels, made.node_id_pattern],
    [3, ['a', 'b'], { site: 'north' }, 'pump-*'],
  );

  const list = await muster('enroll-token', 'list', '--json');
  assert.deepEqual(items(EnrollmentTokenView, list.stdout).length, 2);
  assert.ok(!list.stdout.includes(made.token.split('_')[2] ?? ''));
  assert.match((await muster('enroll-token', 'list')).stdout, new RegExp(`^${made.id} +3 `, 'm'));

  assert.deepEqual((await muster('enroll-token', 'delete', made.id)).stdout, `Deleted ${made.id}.\n`);
  const again = await muster('enroll-token', 'delete', made.id);
  assert.deepEqual([again.exitCode, again.stdout], [1, '']);
  assert.match(again.stderr, /\[not_found\]/);
});

test('a broker credential is shown with what it may subscribe', async (t) => {
  const { muster } = await startTestController(t);

  const plain = await muster('broker-credential', 'monitor');
  assert.match(plain.stdout, /^may subscribe: +\$SYS\/#$/m);
  const { client_id, username } = BrokerCredential.parse(
    JSON.parse((await muster('broker-credential', 'controller', '--json')).stdout),
  );
  assert.match(client_id, /^ctl-/);
  assert.equal(username, client_id);
});

test('invocations are listed newest first, as many as asked for', async (t) => {
  const controller = await startTestController(t);
  assert.equal((await controller.muster('invocations')).stdout, 'Nothing was asked yet.\n');
  await controller.startAgent('pump-1', { runs: true });
  for (const reason of ['first', 'second']) {
    assert.equal((await controller.muster('run', 'ping', '--all', '--reason', reason, '--yes')).exitCode, 0);
  }

  const [newest, ...others] = items(
    InvocationView,
    (await controller.muster('invocations', '--limit', '1', '--json')).stdout,
  );
  assert.deepEqual([newest?.reason, others], ['second', []]);
  assert.match(
    (await controller.muster('invocations')).stdout,
    /^ID +STATUS +ACTION +TARGET +SUCCEEDED +ASKED AT +BY\n\S+ +completed +ping +the fleet +1 of 1 /,
  );
});

test('a wrong token ends with 77', async (t) => {
  const { dataDir, muster } = await startTestController(t);

  const { exitCode, stdout, stderr } = await muster('nodes', '--data', dataDir, '--token', 'mst_nobody_nothing');

  assert.deepEqual([exitCode, stdout], [77, '']);
  assert.match(stderr, /^muster: The token is not valid \[unauthenticated\]/);
});
