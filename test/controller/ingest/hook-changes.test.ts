import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareHooks, MAX_PINS } from '../../../controller/ingest/hook-changes.js';
import { createCatalogueCache } from '../../../controller/nodes/catalogue.js';
import type { NodeRecord } from '../../../controller/nodes/registry.js';
import { admitKey } from '../../../protocol/keys.js';
import type { Capabilities } from '../../../protocol/messages/capabilities.js';
import { generateKeyPair } from '../../../runtime/key-file.js';

const [A, B] = ['a'.repeat(64), 'b'.repeat(64)] as const;

test('a node that invents hooks has a bounded number of pins, and what is past it waits for a person', () => {
  const hooks = Array.from({ length: 500 }, (_, at): [string, string] => [`hook-${at}`, A]);
  const nearlyFull = new Map(Array.from({ length: MAX_PINS - 10 }, (_, at) => [`old-${at}`, A]));

  const { pins } = compareHooks(recordOf({ pins: nearlyFull }), announcing(hooks));
  const none = compareHooks(recordOf({ pins: new Map([...nearlyFull, ...pins]) }), announcing([['late', A]]));

  assert.equal(pins.length, 10);
  assert.deepEqual([none.pins, none.changed, none.audit], [[], 0, []]);
});

test('one announcement writes at most 100 audit rows of a kind', () => {
  const hooks = Array.from({ length: 500 }, (_, at): [string, string] => [`hook-${at}`, B]);
  const pins = new Map(hooks.map(([name]) => [name, A]));

  const fresh = compareHooks(recordOf({ pins: new Map() }), announcing(hooks));
  const changed = compareHooks(recordOf({ pins }), announcing(hooks));

  assert.deepEqual([fresh.pins.length, fresh.audit.length], [500, 100]);
  assert.deepEqual([changed.changed, changed.audit.length], [500, 200], 'changed, and back again');
});

test('a name that is announced twice counts once, with the version that would run', () => {
  const twice = announcing([
    ['deploy', A],
    ['deploy', B],
  ]);

  assert.deepEqual(compareHooks(recordOf({}), twice).pins, [['deploy', B]]);
  const offer = createCatalogueCache().of(twice).get('deploy');
  assert.equal(offer?.kind === 'hook' && offer.checksum, B);
});

function announcing(hooks: readonly [name: string, checksum: string][]): Capabilities {
  const specs = hooks.map(([name, checksum]) => ({
    ...{ name, checksum, description: '', parameters: [], source: 'local', sandbox: 'none' },
  }));
  return {
    ...{ v: 1, node: 'pump-1', org: 'default', builtin_actions: [], hooks: specs },
    ...{ containers: [], terminals: [], limits: {} },
  };
}

function recordOf(changes: Partial<NodeRecord>): NodeRecord {
  return {
    ...{ node: 'pump-1', org: 'default', key: admitKey(generateKeyPair().public.jwk), enrolledAtMs: 0, labels: {} },
    ...{ groups: new Map(), agentVersion: null, bootId: null, processId: null, connection: 0, formerProcesses: [] },
    ...{ lastSeenMs: null, journalEpoch: null, journalSeq: 0, welcomeSeq: 0, passwordExpiresAtMs: 0 },
    ...{ passwordGroups: [], capabilitiesSha256: null, catalogue: undefined, containers: [] },
    ...{ hidesContainers: false, pins: new Map() },
    ...changes,
  };
}
