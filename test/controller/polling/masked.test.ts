import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSecrets } from '../../../runtime/masking/mask.js';
import { startPollingInstallation } from '../../support/polling.js';

const VALUE = 's3cr3t-that-was-typed';

test('promise 19: a node that polls is given what was approved, and people see it masked', async (t) => {
  const secrets = createSecrets();
  secrets.register('test', [VALUE]);
  const { addNode, call, people } = await startPollingInstallation(t, { secrets });
  const token = await addNode('test-pc');
  const data = { message: `the code is ${VALUE}`, title: 'Test' };
  const body = { machine_id: 'test-pc', action_type: 'message', data };

  const queued = await call('POST', '/api/actions/queue', { token: people.owner, body });
  const shown = await call('GET', '/api/v1/invocations', { token: people.viewer });
  const fetched = await call('GET', '/api/actions/pending?machine_id=test-pc', { token });

  assert.equal(queued.status, 201);
  assert.deepEqual(Object(fetched.body).actions[0]?.data, data);
  assert.match(JSON.stringify(shown.body), /the code is \[redacted\]/);
  assert.doesNotMatch(JSON.stringify(shown.body), new RegExp(VALUE));
});

test('promise 22: what a node announces over HTTP is kept without registered values, and without hooks that one names', async (t) => {
  const secrets = createSecrets();
  secrets.register('test', [VALUE]);
  const { addNode, call, people, muster } = await startPollingInstallation(t, { secrets });
  const token = await addNode('test-pc');
  const hook = { parameters: [], source: 'local', checksum: 'a'.repeat(64), sandbox: 'none' };
  const hooks = [
    { ...hook, name: VALUE, description: '' },
    { ...hook, name: 'deploy', description: `with ${VALUE}` },
  ];

  const told = await call('PUT', '/v1/nodes/test-pc/capabilities', { token, body: { builtin_actions: [], hooks } });

  assert.equal(told.status, 204);
  const shown = await call('GET', '/api/v1/nodes/test-pc', { token: people.viewer });
  assert.match(JSON.stringify(shown.body), /"hooks":\["deploy"\].*"hooks_left_out":1/);
  const [row] = await muster.store.read.selectFrom('nodes').select('capabilities').execute();
  assert.match(row?.capabilities ?? '', /with \[redacted\]/);
  assert.doesNotMatch(row?.capabilities ?? '', new RegExp(VALUE));
});
