import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createLocalAllowance } from '../../../controller/ingest/local-allowance.js';
import { sha256Hex } from '../../../protocol/envelope.js';
import { MAX_CHUNK_BYTES } from '../../../protocol/messages/output.js';
import type { Result } from '../../../protocol/messages/result.js';
import { invoke } from '../../support/asks.js';
import { startTestCore, type TestCore } from '../../support/core.js';
import { type ScriptedAgent, startScriptedAgent } from '../../support/scripted-agent.js';
import { until } from '../../support/until.js';

const ID = '0192f0c1-2b3c-7d4e-8f50-6172839405a6';
const OTHER_ID = '0192f0c1-2b3c-7d4e-8f50-6172839405a7';
const CHECKSUM = 'ab'.repeat(32);

test('what a person ran on a node is an invocation of local origin, with execution, result and audit row, once', async (t) => {
  const { muster, agent } = await startNode(t);

  for (let count = 1; count <= 2; count += 1) {
    await agent.say('result', 'muster-result', localResult(agent, { checksum: CHECKSUM }));
    await until(() => agent.receipted().length === count, { what: 'the receipt' });
  }

  const { items } = await muster.core.services.invocations.list('default', { limit: 10 });
  const [invocation, ...others] = items;
  assert.ok(invocation !== undefined && others.length === 0);
  const { id, origin, status, action, target, parameters, timeout, reason, created_by, risk } = invocation;
  assert.deepEqual(
    { origin, status, action, target, parameters, timeout, reason, created_by, risk },
    {
      origin: 'local',
      status: 'completed',
      action: 'restart',
      target: { nodes: ['pump-1'] },
      parameters: { unit: 'nginx' },
      timeout: '20s',
      reason: 'ticket 4711',
      created_by: 'local:pump-1/anna',
      risk: 'write',
    },
  );
  const execution = await muster.core.services.invocations.execution('default', id, 'pump-1');
  assert.deepEqual(
    [execution?.execution_id, execution?.status, execution?.exit_code, execution?.stdout, execution?.request_sha256],
    [ID, 'success', 0, 'done\n', null],
  );
  const [row, ...more] = await auditOf(muster, 'local_execution');
  assert.ok(row !== undefined && more.length === 0);
  assert.equal(row.actor, 'node:pump-1');
  const { by, checksum } = JSON.parse(row.details);
  assert.deepEqual({ by, checksum }, { by: 'local:pump-1/anna', checksum: CHECKSUM });
  const { body } = await muster.core.services.metrics();
  assert.match(body, /muster_controller_invocations_total\{action="restart",risk="write",status="completed"\} 1/);
});

test('a local action that failed is a failed invocation that says so', async (t) => {
  const { muster, agent } = await startNode(t);

  await agent.say('result', 'muster-result', localResult(agent, { status: 'failed', exit_code: 3 }));
  await until(() => agent.receipted().length === 1, { what: 'the receipt' });

  const { items } = await muster.core.services.invocations.list('default', { limit: 10 });
  assert.deepEqual(
    items.map(({ status, error, counts }) => [status, error, counts.failed]),
    [['failed', 'of 1: 1 failed', 1]],
  );
});

test('another result for the same local execution is refused and audited, and the first stays', async (t) => {
  const { muster, agent } = await startNode(t);
  await agent.say('result', 'muster-result', localResult(agent));
  await until(() => agent.receipted().length === 1, { what: 'the receipt' });

  await agent.say('result', 'muster-result', localResult(agent, { status: 'failed', exit_code: 3 }));
  await refusal(muster, 'conflicting_result');

  const { items } = await muster.core.services.invocations.list('default', { limit: 10 });
  assert.deepEqual(
    items.map(({ status }) => status),
    ['completed'],
  );
});

test('a result of local origin does not end what the controller asked for', async (t) => {
  const { muster, agent } = await startNode(t);
  const id = await invoke(muster.core.services.invocations, { nodes: ['pump-1'] });
  const offered = await agent.nextOffer();

  await agent.say('result', 'muster-result', localResult(agent, { execution_id: offered.request.execution_id }));
  await refusal(muster, 'wrong_request');

  assert.equal((await muster.core.services.invocations.get('default', id))?.origin, 'api');
  assert.notEqual((await muster.core.services.invocations.execution('default', id, 'pump-1'))?.status, 'success');
  await agent.result(offered);
  const ended = await muster.core.services.invocations.whenDone('default', id, { ms: 5_000 });
  assert.equal(ended?.status, 'completed');
});

test('a result of local origin under an id of another node is refused', async (t) => {
  const { muster, agent } = await startNode(t);
  const { services } = muster.core;
  const other = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-2' });
  await agent.say('result', 'muster-result', localResult(agent));
  await until(() => agent.receipted().length === 1, { what: 'the receipt' });

  await other.say('result', 'muster-result', localResult(other));
  await refusal(muster, 'wrong_request');

  assert.deepEqual(other.receipted(), []);
});

test('large output of a local action is asked for, put together, and receipted only when all of it is here', async (t) => {
  const { muster, agent } = await startNode(t);
  const pieces = ['a', 'b'].map((letter) => letter.repeat(MAX_CHUNK_BYTES));
  const piece = (seq: number) => ({
    ...{ v: 1, execution_id: ID, node: 'pump-1', org: 'default', seq, stream: 'stdout' },
    ...{ offset: seq * MAX_CHUNK_BYTES, data: pieces[seq], encoding: 'utf-8', last: seq === 1 },
  });

  const sums = { stdout_bytes: 2 * MAX_CHUNK_BYTES, stdout_sha256: sha256Hex(pieces.join('')) };
  await agent.say('result', 'muster-result', localResult(agent, { chunks: 2, stdout: 'aa…bb', ...sums }));
  const resend = await until(() => agent.controls.find(({ kind }) => kind === 'resend'), { what: 'a resend' });
  assert.equal(resend.kind === 'resend' ? resend.from_seq : undefined, 0);
  assert.deepEqual(agent.receipted(), []);
  await agent.say('output', 'muster-output', piece(0));
  await agent.say('output', 'muster-output', piece(1));
  await until(() => agent.receipted().length === 1, { what: 'the receipt' });

  const [invocation] = (await muster.core.services.invocations.list('default', { limit: 1 })).items;
  const output = await muster.core.services.invocations.outputOf('default', invocation?.id ?? '', {
    ...{ node: 'pump-1', stream: 'stdout' },
  });
  assert.equal(output?.bytes.toString(), pieces.join(''));
  assert.equal(output?.complete, true);
});

test('a node adds local executions at a bounded rate: what is past it is rate_limited and may come again', async (t) => {
  const { muster, agent } = await startNode(t);
  const idOf = (index: number): string => `0192f0c1-2b3c-7d4e-8f50-${String(index).padStart(12, '0')}`;

  for (let index = 0; index < 540; index += 1) {
    await agent.say('result', 'muster-result', localResult(agent, { execution_id: idOf(index) }));
  }
  await until(
    async () => /_refused_total\{code="rate_limited"\} [1-9]/.test((await muster.core.services.metrics()).body),
    {
      what: 'a refusal',
    },
  );
  await until(() => agent.receipted().length >= 500, { what: 'the receipts', deadlineMs: 60_000 });

  const refused = Array.from({ length: 540 }, (_, index) => idOf(index)).find((id) => !agent.receipted().includes(id));
  assert.ok(refused !== undefined);
  await until(
    async () => {
      await agent.say('result', 'muster-result', localResult(agent, { execution_id: refused }));
      return agent.receipted().includes(refused);
    },
    { what: 'the receipt of what had been refused' },
  );
});

test('the allowance of one node is not that of another, and grows again with time', () => {
  let nowMs = 0;
  const mayAdd = createLocalAllowance({ nowMs: () => 0, monotonicMs: () => nowMs });
  const taken = Array.from({ length: 600 }, () => mayAdd('pump-1')).filter((may) => may).length;

  assert.equal(taken, 500);
  assert.equal(mayAdd('pump-2'), true);
  nowMs = 3_000;
  assert.deepEqual([mayAdd('pump-1'), mayAdd('pump-1'), mayAdd('pump-1'), mayAdd('pump-1')], [true, true, true, false]);
});

async function startNode(t: TestContext): Promise<{ muster: TestCore; agent: ScriptedAgent }> {
  const muster = await startTestCore(t);
  const agent = await startScriptedAgent(t, {
    ...{ services: muster.core.services, brokerUrl: muster.brokerUrl, node: 'pump-1' },
  });
  return { muster, agent };
}

/** What an agent says of an action that anna ran on it. */
function localResult({ node, processId }: ScriptedAgent, changes: Partial<Result> = {}): Result {
  const empty = { stderr: '', stderr_bytes: 0, stderr_encoding: 'utf-8', stderr_truncated: false } as const;
  const stdout = 'done\n';
  return {
    v: 1,
    execution_id: ID,
    ...{ node, org: 'default', boot_id: OTHER_ID, process_id: processId },
    ...{ status: 'success', exit_code: 0, stdout, stdout_encoding: 'utf-8', stdout_bytes: 5, stdout_truncated: false },
    ...{ ...empty, stdout_sha256: sha256Hex(stdout), stderr_sha256: sha256Hex('') },
    ...{ chunks: 0, duration: '1s', duration_ms: 1000, finished_at: '2026-01-01T00:00:00.000Z' },
    triggered_by: { type: 'local', id: 'anna', reason: 'ticket 4711' },
    ...{ origin: 'local', action: 'restart', parameters: { unit: 'nginx' }, timeout: '20s' },
    ...changes,
  };
}

function auditOf(muster: TestCore, event: string) {
  return muster.store.read.selectFrom('audit').selectAll().where('event', '=', event).execute();
}

/** Waits for the audit row of a message that was not believed. */
function refusal(muster: TestCore, code: string) {
  return until(async () => (await auditOf(muster, 'message_refused')).some(({ details }) => details.includes(code)), {
    what: `the refusal ${code}`,
  });
}
