import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadRegistry } from '../../../controller/nodes/registry.js';
import { OWNER, startTestCore } from '../../support/core.js';
import { enrollNode } from '../../support/scripted-agent.js';

test('what was begun for a node changes nothing of one that came back under its name with another key', async (t) => {
  const { core, store } = await startTestCore(t);
  const { services } = core;
  const { keys: before } = await enrollNode(services, 'pump-1');
  const registry = await loadRegistry(store, 'default');
  const former = registry.get('pump-1');
  assert.ok(former !== undefined);
  await services.nodes.remove(OWNER, 'pump-1');
  const { keys: after } = await enrollNode(services, 'pump-1');
  const [record] = (await loadRegistry(store, 'default')).all();
  assert.ok(record !== undefined);

  registry.remove('pump-1');
  assert.equal(registry.update(former, { journalSeq: 7 }), undefined, 'a removed node does not come back');
  assert.equal(registry.keyOf(before.public.kid), undefined);
  registry.put(record);
  assert.equal(registry.update(former, { journalSeq: 7 }), undefined);

  assert.equal(registry.get('pump-1')?.journalSeq, 0);
  assert.equal(registry.keyOf(after.public.kid)?.node, 'pump-1');
  assert.equal(registry.update(record, { journalSeq: 8 })?.journalSeq, 8);
});
