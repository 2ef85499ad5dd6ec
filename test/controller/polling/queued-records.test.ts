import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startPollingInstallation } from '../../support/polling.js';

test('F-4, F-7…F-10, F-12…F-15: each of the three types is kept with org, node, data, who and when, and with what came of it', async (t) => {
  const { muster, call, people, addNode } = await startPollingInstallation(t);
  const { invocations } = muster.core.services;
  const token = await addNode('test-pc');
  const data = { message: 'hello', title: 'Test' };

  for (const [action_type, body] of [
    ['message', { data }],
    ['restart', {}],
    ['reboot', {}],
  ] as const) {
    const asked = { machine_id: 'test-pc', action_type, ...body };
    assert.equal((await call('POST', '/api/actions/queue', { token: people.admin, body: asked })).status, 201);
    const [invocation] = (await invocations.list('default', { limit: 1 })).items;
    assert.ok(invocation);
    const { action, target, parameters, created_by } = invocation;
    const expected = [action_type, { nodes: ['test-pc'] }, 'data' in body ? data : {}, 'the-admin'];
    assert.deepEqual([action, target, parameters, created_by], expected);
    assert.equal(await invocations.get('another', invocation.id), undefined, 'it is of its org alone');

    const { body: fetched } = await call('GET', '/api/actions/pending?machine_id=test-pc', { token });
    const [, name = ''] = /"action_id":"([^"]+)"/.exec(JSON.stringify(fetched)) ?? [];
    const said = { action_id: name, status: 'done', result: `${action_type} done` };
    assert.equal((await call('POST', '/api/actions/report', { token, body: said })).status, 200);
    const execution = await invocations.execution('default', invocation.id, 'test-pc');
    assert.deepEqual([execution?.status, execution?.stdout], ['success', `${action_type} done`]);
    assert.ok(Date.parse(execution?.finished_at ?? '') >= Date.parse(invocation.created_at));
  }
});
