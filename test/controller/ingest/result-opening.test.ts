import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createResultOpening } from '../../../controller/ingest/result-opening.js';
import { loadRegistry, type Registry } from '../../../controller/nodes/registry.js';
import { sha256Hex, signEnvelope } from '../../../protocol/envelope.js';
import type { KeyPair } from '../../../runtime/key-file.js';
import type { IncomingMessage } from '../../../runtime/mqtt-session.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import type { TestScope } from '../../support/broker.js';
import { startTestCore } from '../../support/core.js';
import { enrollNode } from '../../support/scripted-agent.js';

const EMPTY_SHA = sha256Hex('');
/** So many wait for the disk that signatures are checked on other threads. */
const BUSY = (): number => 100;

test('of any number at once, results of one node are handed on in the order in which they came', async (t) => {
  const { registry, keys } = await startNodes(t, ['a', 'b']);
  const opening = createResultOpening({ registry, org: 'default', maxPacketBytes: 65_536 }, BUSY);
  const handedOn: Record<string, number[]> = { a: [], b: [] };

  const sent = Array.from({ length: 200 }, (_, exitCode) => {
    const node = exitCode % 3 === 0 ? 'a' : 'b';
    return opening.take(resultOf(node, keys.get(node), exitCode), ({ value }) => {
      handedOn[node]?.push(value.exit_code);
    });
  });
  await Promise.all(sent);

  const numbers = Array.from({ length: 200 }, (_, exitCode) => exitCode);
  assert.deepEqual(handedOn, {
    a: numbers.filter((exitCode) => exitCode % 3 === 0),
    b: numbers.filter((exitCode) => exitCode % 3 !== 0),
  });
});

test('one of few results is handed on before the next message is read', async (t) => {
  const { registry, keys } = await startNodes(t, ['a']);
  const opening = createResultOpening({ registry, org: 'default', maxPacketBytes: 65_536 }, () => 0);
  let handedOn = 0;

  const held = opening.take(resultOf('a', keys.get('a'), 0), () => {
    handedOn += 1;
  });

  assert.deepEqual([held, handedOn], [undefined, 1]);
});

test('a result that another key signed is refused, and the next of its node is taken', async (t) => {
  const { registry, keys } = await startNodes(t, ['a', 'b']);
  const opening = createResultOpening({ registry, org: 'default', maxPacketBytes: 65_536 }, BUSY);
  let handedOn = 0;
  const next = (): void => {
    handedOn += 1;
  };

  const forged = opening.take(resultOf('a', keys.get('b'), 0), next);
  const genuine = opening.take(resultOf('a', keys.get('a'), 1), next);

  await assertRejectsCode(Promise.resolve(forged), 'wrong_audience');
  await genuine;
  assert.equal(handedOn, 1);
});

test('a result whose node is removed while its signature is checked is not believed (promise 20)', async (t) => {
  const { registry, keys } = await startNodes(t, ['a']);
  const opening = createResultOpening({ registry, org: 'default', maxPacketBytes: 65_536 }, BUSY);

  const opened = opening.take(resultOf('a', keys.get('a'), 0), () => assert.fail('it is believed'));
  registry.remove('a');

  await assertRejectsCode(Promise.resolve(opened), 'unknown_key');
});

async function startNodes(
  t: TestScope,
  nodes: readonly string[],
): Promise<{ registry: Registry; keys: ReadonlyMap<string, KeyPair> }> {
  const muster = await startTestCore(t);
  const keys = new Map<string, KeyPair>();
  for (const node of nodes) keys.set(node, (await enrollNode(muster.core.services, node)).keys);
  return { registry: await loadRegistry(muster.store, 'default'), keys };
}

function resultOf(node: string, keys: KeyPair | undefined, exitCode: number): IncomingMessage {
  assert.ok(keys);
  const payload = {
    ...{ v: 1, execution_id: '01920000-0000-7000-8000-000000000000', node, org: 'default' },
    ...{ boot_id: '8c5cf9b1-9c1c-4c55-9b6c-4a2f0a3c1b11', process_id: '8c5cf9b1-9c1c-4c55-9b6c-4a2f0a3c1b12' },
    ...{ request_sha256: EMPTY_SHA, status: 'failed', exit_code: exitCode, stdout: '', stderr: '' },
    ...{ stdout_encoding: 'utf-8', stderr_encoding: 'utf-8', stdout_bytes: 0, stderr_bytes: 0 },
    ...{ stdout_sha256: EMPTY_SHA, stderr_sha256: EMPTY_SHA, stdout_truncated: false, stderr_truncated: false },
    ...{ chunks: 0, duration: '1ms', duration_ms: 1, finished_at: '2026-11-21T12:00:00Z' },
  };
  const jws = signEnvelope('muster-result', JSON.stringify(payload), keys.signing);
  return { kind: 'result', levels: { node }, payload: Buffer.from(jws) };
}
