import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createOutputCapture } from '../../../agent/actions/output-capture.js';
import { startOutputMessages } from '../../../agent/executor/output-messages.js';
import { parsePayload } from '../../../protocol/envelope.js';
import { MusterError } from '../../../protocol/errors.js';
import { MAX_CHUNK_BYTES, Output } from '../../../protocol/messages/output.js';
import { acting, createTestExecutor, idOf, receive } from '../../support/executor.js';
import { createGate } from '../../support/gate.js';
import { EXECUTION_ID } from '../../support/hooks.js';
import { until } from '../../support/until.js';

const MIB = 1024 * 1024;
const LOOK_MS = 250;
const SPEAKER = { org: 'default', node: 'pump', bootId: 'b', processId: 'p' };
const NEVER = new AbortController().signal;

test('an action that leaves off reading is reported with both streams cut (promise 14)', async (t) => {
  const leaving = acting('leave', async ({ output }) => {
    output.write('stdout', 'some');
    output.leaveOff?.();
    return { kind: 'exited', exitCode: 0 };
  });
  const { executor, resultOf } = await createTestExecutor(t, { actions: [leaving] });
  const request = receive({ action: 'leave' });

  await executor.execute(request);

  const { stdout, stdout_truncated, stderr_truncated } = await resultOf(idOf(request));
  assert.deepEqual([stdout, stdout_truncated, stderr_truncated], ['some', true, true]);
});

test('a writer of many small pieces makes a bounded number of messages, and they hold all of it', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { capture, messages, published } = start({ isLive: true });
  const times = 3_000;

  for (let time = 0; time < times; time += 1) {
    capture.write('stdout', `${time}\n`);
    t.mock.timers.tick(LOOK_MS);
    await turn();
  }
  messages.finish(false);
  await messages.sent(NEVER);

  assert.ok(messages.count() > 900 && messages.count() <= 1_000 + 3, `${messages.count()} messages`);
  const text = published.filter(({ stream }) => stream === 'stdout').map(({ data }) => data);
  assert.equal(text.join(''), Array.from({ length: times }, (_, time) => `${time}\n`).join(''));
  assert.deepEqual(
    published.map(({ seq }) => seq),
    published.map((_, index) => index),
  );
});

test('while the broker takes nothing four messages are under way, and what comes meanwhile is cut into full ones', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const gate = createGate();
  const { capture, messages, published } = start({ isLive: true, publish: () => gate.passed });

  for (let time = 0; time < 20; time += 1) {
    capture.write('stderr', Buffer.alloc(10_000, 'x'));
    t.mock.timers.tick(LOOK_MS);
    await turn();
  }
  assert.equal(published.length, 4);
  gate.open();
  messages.finish(false);
  await messages.sent(NEVER);

  assert.equal(published.length, messages.count());
  assert.ok(messages.count() <= 4 + Math.ceil(160_000 / MAX_CHUNK_BYTES) + 1);
});

test('messages that are made again for a resend are the same octets', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const octets: Buffer[] = [];
  const { capture, messages } = start({ isLive: true, publish: async (payload) => void octets.push(payload) });

  for (const text of ['grüße ', '\u{1f642}', 'end']) {
    for (const byte of Buffer.from(text)) {
      capture.write('stdout', Uint8Array.of(byte));
      t.mock.timers.tick(LOOK_MS);
      await turn();
    }
  }
  messages.finish(false);
  await messages.sent(NEVER);

  assert.deepEqual([...messages.payloads()], octets);
});

test('after the end the first message that does not get through ends the sending, and a stop does not wait', async () => {
  const lost = start({ isLive: false, publish: () => Promise.reject(new MusterError('not_connected', 'gone')) });
  const stuck = start({ isLive: false, publish: () => new Promise(() => undefined) });

  for (const { capture, messages } of [lost, stuck]) {
    capture.write('stdout', Buffer.alloc(20 * MAX_CHUNK_BYTES, 'x'));
    messages.finish(true);
  }
  await lost.messages.sent(NEVER);
  await stuck.messages.sent(AbortSignal.abort());

  assert.ok(lost.published.length <= 4 && stuck.published.length <= 4);
  assert.equal(stuck.messages.count(), 20);
});

test('promise 14: an execution that fills both streams with bytes takes at most four times max_output_bytes', async (t) => {
  const maxOutputBytes = 8 * MIB;
  const collect = exposeCollector();
  let most = 0;
  let seen = 0;
  const action = acting('echo', async ({ output }) => {
    const block = Buffer.alloc(64 * 1024, 0xff);
    for (let written = 0; written < 2 * maxOutputBytes; written += block.length) {
      output.write('stdout', block);
      output.write('stderr', block);
      if (written % (4 * MIB) === 0) await turn();
    }
    return { kind: 'exited', exitCode: 0 };
  });
  const { executor, resultOf } = await createTestExecutor(t, {
    actions: [action],
    limits: { maxOutputBytes },
    reporter: {
      async output() {
        seen += 1;
        if (seen % 40 === 0) most = Math.max(most, used(collect));
        await turn();
      },
    },
  });
  const received = receive({ stream: true });
  const before = used(collect);

  await executor.execute(received);
  const result = await resultOf(idOf(received));

  assert.deepEqual([result.stdout_bytes, result.stderr_bytes], [maxOutputBytes, maxOutputBytes]);
  assert.ok(seen >= (2 * maxOutputBytes) / MAX_CHUNK_BYTES);
  assert.ok(most - before <= 4 * maxOutputBytes, `${Math.round((most - before) / MIB)} MiB`);
});

test('what an action prints after it was given up is no part of its result', async (t) => {
  const [written, gate] = [createGate(), createGate()];
  const action = acting('echo', async ({ output, signal }) => {
    output.write('stdout', 'before');
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    void gate.passed.then(() => output.write('stdout', 'after')).then(written.open);
    throw new Error('ended');
  });
  const { executor, journal, resultOf } = await createTestExecutor(t, { actions: [action] });
  const received = receive({ timeout: '10ms', stream: true });

  await executor.execute(received);
  await until(() => journal.find(idOf(received))?.state === 'finished', { what: 'its end' });
  gate.open();
  await written.passed;

  assert.equal((await resultOf(idOf(received))).stdout, 'before');
});

function start({
  isLive,
  publish = async () => undefined,
}: {
  isLive: boolean;
  publish?: (payload: Buffer) => Promise<void>;
}) {
  const published: Output[] = [];
  const capture = createOutputCapture({ maxBytes: 16 * MIB });
  const messages = startOutputMessages({
    ...{ executionId: EXECUTION_ID, capture, speaker: SPEAKER, isLive },
    publish(payload) {
      published.push(parsePayload(Output, payload));
      return publish(payload);
    },
  });
  return { capture, messages, published };
}

/** Lets everything happen that is due. */
function turn(): Promise<void> {
  return new Promise((next) => setImmediate(next));
}

function exposeCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc');
}

/** Bytes that are really held, in and outside of the heap. */
function used(collect: () => void): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
