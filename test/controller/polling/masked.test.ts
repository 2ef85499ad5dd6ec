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
