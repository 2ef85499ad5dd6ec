import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256Hex } from '../../../protocol/envelope.js';
import { MAX_CHUNK_BYTES } from '../../../protocol/messages/output.js';
import { OUTPUT_LOST } from '../../../protocol/messages/reply.js';
import { type Clock, SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { invoke } from '../../support/asks.js';
import { startCoreWithNode } from '../../support/core-with-node.js';
import { until } from '../../support/until.js';

test('a result that comes again is receipted again and changes nothing (promise 10)', async (t) => {
  const { services, agent, offer } = await startCoreWithNode(t);
  const { id, offered } = await offer();
  const result = agent.resultOf(offered);

  await agent.say('result', 'muster-result', result);
  await until(() => agent.receipted().length === 1, { what: 'the receipt' });
  const before = await services.invocations.execution('default', id, 'pump-1');
  await agent.say('result', 'muster-result', result);
  await until(() => agent.receipted().length === 2, { what: 'the second receipt' });

  assert.deepEqual(await services.invocations.execution('default', id, 'pump-1'), before);
});

test('a different result for the same execution is dropped, counted and audited', async (t) => {
  const { muster, services, agent, offer, whenDone } = await startCoreWithNode(t);
  const { id, offered } = await offer();

  await agent.result(offered);
  await whenDone(id);
  await agent.result(offered, { status: 'failed', exit_code: 3 });

  await until(
    async () => {
      const rows = await muster.store.read
        .selectFrom('audit')
        .selectAll()
        .where('event', '=', 'message_refused')
        .execute();
      return rows.some(({ details }) => details.includes('conflicting_result'));
    },
    { what: 'the audit row' },
  );
  assert.equal((await services.invocations.execution('default', id, 'pump-1'))?.status, 'success');
});

test('two different results in one batch: the first stays', async (t) => {
  const { services, agent, offer, whenDone } = await startCoreWithNode(t);
  const { id, offered } = await offer();

  await Promise.all([agent.result(offered), agent.result(offered, { status: 'failed', exit_code: 3 })]);
  await whenDone(id);

  assert.equal((await services.invocations.execution('default', id, 'pump-1'))?.status, 'success');
});

test('an acceptance that comes after the result never moves the execution back', async (t) => {
  const { services, agent, offer, whenDone } = await startCoreWithNode(t);
  const { id, offered } = await offer();

  await agent.result(offered);
  await whenDone(id);
  await agent.ack(offered);
  await agent.ack(offered, 'actions_disabled');
  await agent.hello();

  const after = await services.invocations.execution('default', id, 'pump-1');
  assert.deepEqual([after?.status, after?.reason], ['success', null]);
});

for (const [status, invocationStatus] of [
  ['failed', 'failed'],
  ['timeout', 'failed'],
  ['cancelled', 'failed'],
  ['error', 'failed'],
  ['success', 'completed'],
] as const) {
  test(`an execution that ends as ${status} ends its invocation as ${invocationStatus} (P-35)`, async (t) => {
    const { services, agent, whenDone } = await startCoreWithNode(t);
    const id = await invoke(services.invocations, { nodes: ['pump-1'] });

    const fault = status === 'error' ? { error_code: 'start_failed', error: 'no such file' } : {};
    await agent.result(await agent.nextOffer(), { status, ...fault });
    const done = await whenDone(id);

    assert.equal(done?.status, invocationStatus);
    const execution = await services.invocations.execution('default', id, 'pump-1');
    assert.equal(execution?.status, status);
    assert.equal(execution.error_code, status === 'error' ? 'start_failed' : null);
    assert.ok(execution.sent_at !== null && execution.accepted_at !== null);
  });
}

test('output that does not fit the result is put together, and receipted only when all of it is here', async (t) => {
  const { services, agent, offer, whenDone } = await startCoreWithNode(t);
  const { id, offered } = await offer();
  const pieces = ['a', 'b', 'c'].map((letter) => letter.repeat(MAX_CHUNK_BYTES));
  const piece = (seq: number) => ({
    ...{ v: 1, execution_id: offered.request.execution_id, node: 'pump-1', org: 'default', seq, stream: 'stdout' },
    ...{ offset: seq * MAX_CHUNK_BYTES, data: pieces[seq], encoding: 'utf-8', last: seq === 2 },
  });

  await agent.say('output', 'muster-output', piece(0));
  const whole = { stdout_bytes: 3 * MAX_CHUNK_BYTES, stdout_sha256: sha256Hex(pieces.join('')) };
  await agent.result(offered, { chunks: 3, stdout: 'aaa…ccc', ...whole });
  await whenDone(id);
  await agent.say('output', 'muster-output', piece(2));
  const resend = await until(() => agent.controls.find(({ kind }) => kind === 'resend'), { what: 'a resend' });
  assert.equal(resend.kind === 'resend' ? resend.from_seq : undefined, 1);
  assert.deepEqual(agent.receipted(), []);
  await agent.say('output', 'muster-output', piece(1));
  await until(() => agent.receipted().length === 1, { what: 'the receipt' });

  const output = await services.invocations.outputOf('default', id, { node: 'pump-1', stream: 'stdout' });
  assert.equal(output?.bytes.toString(), pieces.join(''));
  assert.equal(output?.complete, true);
});

test('output that is missing of a node that is away is asked for once the node is back', async (t) => {
  let aheadMs = 0;
  const clock: Clock = { nowMs: SYSTEM_CLOCK.nowMs, monotonicMs: () => SYSTEM_CLOCK.monotonicMs() + aheadMs };
  const { muster, agent, offer, whenDone, goOffline } = await startCoreWithNode(t, { clock });
  const { id, offered } = await offer();
  await agent.result(offered, { chunks: 1, stdout_bytes: MAX_CHUNK_BYTES });
  await whenDone(id);
  await goOffline();

  aheadMs = 6_000;
  muster.core.tick();
  await agent.hello();
  muster.core.tick();

  // Not before the welcome, when nobody would hear it, and so not 30 s later either.
  await until(() => agent.controls.some(({ kind }) => kind === 'resend'), { what: 'a resend' });
  assert.deepEqual(agent.controls.map(({ kind }) => kind).slice(-2), ['welcome', 'resend']);
});

test('output that its node has lost is not asked for again: the result is receipted, the output incomplete', async (t) => {
  const { services, agent, offer, whenDone } = await startCoreWithNode(t);
  const { id, offered } = await offer();
  await agent.result(offered, { chunks: 1, stdout: 'aaa…', stdout_bytes: MAX_CHUNK_BYTES });
  await whenDone(id);
  const isAsk = ({ control }: { control: { kind: string } }): boolean => control.kind === 'resend';
  const ask = await until(() => agent.sent.find(isAsk), { what: 'a resend' });
  assert.deepEqual(agent.receipted(), []);

  await agent.say('reply', 'muster-reply', {
    ...{ v: 1, node: 'pump-1', org: 'default', control_id: ask.control.control_id, control_sha256: ask.sha256 },
    ok: false,
    error: { code: OUTPUT_LOST, title: '', message: '', suggestion: '', retryable: false, retry_commands: [] },
  });

  await until(() => agent.receipted().length === 1, { what: 'the receipt' });
  assert.deepEqual(agent.receipted(), [offered.request.execution_id]);
  const output = await services.invocations.outputOf('default', id, { node: 'pump-1', stream: 'stdout' });
  assert.equal(output?.complete, false);
});
