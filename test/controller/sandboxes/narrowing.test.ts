import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Catalogue, Offer } from '../../../controller/nodes/catalogue.js';
import type { NodeRecord } from '../../../controller/nodes/registry.js';
import { createReach, narrowRegistry } from '../../../controller/sandboxes/reach.js';

/** Counts how often somebody goes through all that a node offers. */
class CountedCatalogue extends Map<string, Offer> {
  walks = 0;

  override [Symbol.iterator](): MapIterator<[string, Offer]> {
    this.walks += 1;
    return super[Symbol.iterator]();
  }
}

test('a sandbox that goes through its nodes has what they offer looked at once, and not for each of them', () => {
  const catalogue = new CountedCatalogue(
    ['ping', 'prime'].map((name) => [name, { kind: 'builtin', spec: { name, description: '', parameters: [] } }]),
  );
  const records = Array.from({ length: 100 }, (_, at) => recordOf(`pump-${at}`, catalogue));
  const byName = new Map(records.map((record) => [record.node, record]));
  const reach = createReach([
    { target: { nodes: ['pump-1'] }, actions: ['*'] },
    { target: { fleet: true }, actions: ['pi*'] },
  ]);
  const registry = narrowRegistry({ get: (node) => byName.get(node), all: () => byName.values() }, reach);

  const offered = [...registry.all()].map((record) => [...(record.catalogue?.keys() ?? [])].join());

  assert.equal(offered.length, 100);
  assert.deepEqual([offered[0], offered[1], offered[2]], ['ping', 'ping,prime', 'ping']);
  assert.equal(catalogue.walks, 2, 'one for each of the two that see other things');
  assert.equal(registry.get('pump-0')?.catalogue, registry.get('pump-99')?.catalogue);
});

function recordOf(node: string, catalogue: Catalogue): NodeRecord {
  return {
    ...{ node, org: 'default', key: undefined, enrolledAtMs: 0, labels: {}, groups: new Map(), agentVersion: null },
    ...{ bootId: null, processId: null, connection: 0, formerProcesses: [], lastSeenMs: null, journalEpoch: null },
    ...{ journalSeq: 0, welcomeSeq: 0, passwordExpiresAtMs: 0, passwordGroups: [], capabilitiesSha256: null },
    ...{ catalogue, containers: [], hidesContainers: false, pins: new Map() },
  };
}
