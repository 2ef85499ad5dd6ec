import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadOpenExecutions } from '../../../controller/dispatch/load-open.js';
import type { OpenExecution, OpenExecutions } from '../../../controller/dispatch/open-executions.js';
import type { Evidence } from '../../../controller/ingest/evidence.js';
import { createShield } from '../../../controller/ingest/shield.js';
import { storeEvidence } from '../../../controller/ingest/store-evidence.js';
import { createVault } from '../../../controller/integrations/vault.js';
import { loadRegistry } from '../../../controller/nodes/registry.js';
import { insertExecutions, moveExecutions } from '../../../controller/store/executions.js';
import type { Store } from '../../../controller/store/store.js';
import { sha256Hex } from '../../../protocol/envelope.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { NO_MASK } from '../../../runtime/masking/mask.js';
import { invoke } from '../../support/asks.js';
import type { TestScope } from '../../support/broker.js';
import { startTestCore } from '../../support/core.js';
import { startScriptedAgent } from '../../support/scripted-agent.js';

const EMPTY_SHA = sha256Hex('');

test('a large invocation is executing until its last result, and ends with it', async (t) => {
  const { store, open, id, add } = await startLarge(t);
  const all = [...open.ofInvocation(id)];

  await add(all.slice(0, 1));
  const early = await statusOf(store, id);
  await add(all.slice(1));

  assert.deepEqual([early, await statusOf(store, id)], ['executing', 'completed']);
});

test('a large invocation ends with a result in whose commit the rest ended otherwise', async (t) => {
  const { store, open, id, add } = await startLarge(t);
  const [last, ...others] = open.ofInvocation(id);
  assert.ok(last);

  // Asked in one turn of the event loop, both share a commit; memory still says that the others are open.
  await Promise.all([
    store.write((tx) => moveExecutions(tx, others, { from: ['queued', 'sent'], set: { status: 'expired', open: 0 } })),
    add([last]),
  ]);

  assert.equal(await statusOf(store, id), 'failed');
});

/** An invocation with 150 executions, of which `add` stores results as the ingest does. */
async function startLarge(t: TestScope): Promise<{
  store: Store;
  open: OpenExecutions;
  id: string;
  add: (executions: readonly OpenExecution[]) => Promise<void>;
}> {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const { store, brokerUrl } = muster;
  const agent = await startScriptedAgent(t, { services, brokerUrl, node: 'pump-1' });
  await agent.goOffline();
  const id = await invoke(services.invocations, { nodes: ['pump-1'] });
  const [row] = await store.read.selectFrom('executions').selectAll().execute();
  assert.ok(row);
  const rows = Array.from({ length: 150 }, (_, index) => ({
    ...row,
    execution_id: `01920000-0000-7000-8000-${String(index).padStart(12, '0')}`,
    request_sha256: EMPTY_SHA,
  }));
  await store.write(async (tx) => {
    await tx.deleteFrom('executions').execute();
    await insertExecutions(tx, rows);
  });
  const open = await loadOpenExecutions(store, SYSTEM_CLOCK);
  const registry = await loadRegistry(store, 'default');
  const shield = createShield({ mask: NO_MASK, vault: createVault('') });
  const deps = { open, registry, shield, clock: SYSTEM_CLOCK, org: 'default' };
  return {
    ...{ store, open, id },
    add: (executions) =>
      store.write(async (tx) => {
        await storeEvidence(tx, deps, executions.map(resultOf));
      }),
  };
}

async function statusOf(store: Store, id: string): Promise<string> {
  const { status } = await store.read
    .selectFrom('invocations')
    .select('status')
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  return status;
}

function resultOf({ executionId, node }: OpenExecution): Evidence {
  return {
    ...{ kind: 'result', evidence: 'signature', node, payloadSha256: sha256Hex(executionId), jws: '..' },
    result: {
      ...{ v: 1, execution_id: executionId, node, org: 'default', request_sha256: EMPTY_SHA, status: 'success' },
      ...{ exit_code: 0, stdout: '', stderr: '', stdout_encoding: 'utf-8', stderr_encoding: 'utf-8' },
      ...{ stdout_bytes: 0, stderr_bytes: 0, stdout_sha256: EMPTY_SHA, stderr_sha256: EMPTY_SHA },
      ...{ stdout_truncated: false, stderr_truncated: false, chunks: 0 },
    },
  };
}
