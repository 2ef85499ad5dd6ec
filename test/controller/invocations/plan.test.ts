import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CreateInvocation } from '../../../controller/http/schemas.js';
import { type Plan, planInvocation } from '../../../controller/invocations/plan.js';
import { loadRegistry, type NodeRecord, type Registry } from '../../../controller/nodes/registry.js';
import { SHIPPED_POLICY } from '../../../controller/policy/document.js';
import { openStore } from '../../../controller/store/store.js';
import { isMusterError } from '../../../protocol/errors.js';
import { Capabilities } from '../../../protocol/messages/capabilities.js';
import { askFor } from '../../support/asks.js';
import type { TestScope } from '../../support/broker.js';
import { storePlace } from '../../support/store-place.js';

const DAY_MS = 24 * 3_600_000;
const KIB = 1024;
const PARAMETERS = [{ name: 'text', type: 'string', required: false, description: '' }];
const OFFERED = Capabilities.parse({
  ...{ v: 1, node: 'any', org: 'default', hooks: [], containers: [], terminals: [], limits: {} },
  builtin_actions: [
    { name: 'ping', description: '', parameters: PARAMETERS },
    { name: 'slow', description: '', parameters: [], timeout: '9999h' },
  ],
});

test('promise 5: a result is waited for 7 days at most, whatever time-out a node announces', async (t) => {
  const registry = await fleetOf(t, 1);

  assert.equal(plan(registry, { action: 'slow' }).timeoutMs, 7 * DAY_MS);
  assert.equal(plan(registry, { action: 'slow', spread: '1h' }).timeoutMs, 7 * DAY_MS + DAY_MS / 24);
});

test('a spread is refused that leaves nodes no time to start before the ask, or their batch, expires', async (t) => {
  const registry = await fleetOf(t, 2);
  const batch = { size: 1, wait: '10m', max_failed: 0 };

  for (const ask of [{ spread: '24h' }, { spread: '2h', expires_in: '1h' }, { spread: '10m', batch }]) {
    assert.throws(() => plan(registry, ask), isInvalid, JSON.stringify(ask));
  }
  for (const ask of [{ spread: '23h' }, { spread: '59m', expires_in: '1h' }, { spread: '9m', batch }])
    plan(registry, ask);
});

test('promise 15: parameters that come to more than 64 MiB in requests for single nodes are refused, one request for all is not', async (t) => {
  const registry = await fleetOf(t, 1_100);
  const large = { parameters: { text: 'x'.repeat(63 * KIB) } };
  const small = { parameters: { text: 'x'.repeat(32 * KIB) } };

  assert.throws(() => plan(registry, { ...large, target: { labels: { site: 'north' } } }), isInvalid);
  assert.throws(() => plan(registry, { ...large, batch: { size: '10%', max_failed: 0 } }), isInvalid);
  assert.equal(plan(registry, { ...small, target: { labels: { site: 'north' } } }).targets.length, 1_100);
  assert.deepEqual(plan(registry, large).broadcast, { fleet: true });
});

function isInvalid(error: unknown): boolean {
  return isMusterError(error, 'invalid_request');
}

function plan(registry: Registry, changes: Partial<CreateInvocation>): Plan {
  const ask = askFor({ fleet: true }, changes);
  return planInvocation(registry, { org: 'default', ask, policy: SHIPPED_POLICY, defaultExpiresInMs: DAY_MS });
}

async function fleetOf(t: TestScope, size: number): Promise<Registry> {
  const store = await openStore(await storePlace(t));
  t.after(store.close);
  const registry = await loadRegistry(store, 'default');
  for (let index = 0; index < size; index += 1) registry.put(nodeOf(`pump-${index}`, registry));
  return registry;
}

function nodeOf(node: string, { catalogues }: Registry): NodeRecord {
  return {
    ...{ node, org: 'default', key: undefined, enrolledAtMs: 1, labels: { site: 'north' }, groups: new Map() },
    ...{ agentVersion: null, bootId: null, processId: null, connection: 0, formerProcesses: [], lastSeenMs: null },
    ...{ journalEpoch: null, journalSeq: 0, welcomeSeq: 0, passwordExpiresAtMs: 0, passwordGroups: [] },
    ...{ capabilitiesSha256: null, catalogue: catalogues.of(OFFERED), containers: [], hidesContainers: false },
    pins: new Map(),
  };
}
