import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as afterMs } from 'node:timers/promises';
import { encodeBase64Url } from '../../../protocol/base64url.js';
import { MusterError } from '../../../protocol/errors.js';
import { acting, answering, createTestExecutor, idOf, receive, waiting } from '../../support/executor.js';
import { openTestJournal } from '../../support/journal.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const KEEP_FOR_JWS_BYTES = 200;

test('S-P-9, P-36, P-92: a result has ids, duration, time of its end, and output with counts and digests', async (t) => {
  const { executor, resultOf } = await createTestExecutor(t);
  const received = receive();

  await executor.execute(received);
  const result = await resultOf(idOf(received));

  assert.equal(result.request_sha256, received.sha256);
  assert.deepEqual([result.status, result.exit_code, result.stdout, result.stderr], ['success', 0, 'hello\n', '']);
  assert.equal(result.stdout_bytes, 6);
  assert.equal(result.stdout_sha256, createHash('sha256').update('hello\n').digest('hex'));
  assert.match(result.duration, /^[\d.]+(ms|s)$/);
  assert.match(result.finished_at, /Z$/);
});

test('S-P-25, P-36: triggered_by comes back unchanged, and absent stays absent', async (t) => {
  const { executor, resultOf } = await createTestExecutor(t);
  const triggered_by = { type: 'user', id: 'ada', invocation_id: 'i-1', reason: 'drill', extra: [1, { two: 3 }] };
  const [told, silent] = [receive({ triggered_by }), receive()];

  for (const received of [told, silent]) await executor.execute(received);

  assert.deepEqual((await resultOf(idOf(told))).triggered_by, triggered_by);
  assert.equal('triggered_by' in (await resultOf(idOf(silent))), false);
});

test('P-85, P-103: another exit code than 0 is failed, and comes back', async (t) => {
  const { executor, resultOf } = await createTestExecutor(t, { actions: [answering('echo', { exitCode: 42 })] });
  const received = receive();

  await executor.execute(received);
  const { status, exit_code, stdout } = await resultOf(idOf(received));

  assert.deepEqual([status, exit_code, stdout], ['failed', 42, 'hello\n']);
});

test('S-P-35: a program ended from outside is failed with exit code -1', async (t) => {
  const action = acting('echo', async () => ({ kind: 'signaled', signal: 'SIGKILL' }));
  const { executor, resultOf } = await createTestExecutor(t, { actions: [action] });
  const received = receive();

  await executor.execute(received);

  const { status, exit_code, error } = await resultOf(idOf(received));
  assert.deepEqual([status, exit_code], ['failed', -1]);
  assert.match(error ?? '', /SIGKILL/);
});

test('P-32, P-86, P-102, S-P-36: past its time-out an action is told to end, and the result is timeout', async (t) => {
  const wait = waiting('echo');
  const { executor, resultOf } = await createTestExecutor(t, { actions: [wait.action] });
  const received = receive({ timeout: '20ms' });

  await executor.execute(received);

  const { status, exit_code, duration_ms } = await resultOf(idOf(received));
  assert.deepEqual([status, exit_code], ['timeout', -1]);
  assert.ok(duration_ms >= 19);
});

for (const [what, timeout, actionMs, capMs, expected] of [
  ["the request's", '100ms', 5000, 10_000, 100],
  ["the action's", '10m', 5000, 10_000, 5000],
  ['the cap', '10m', undefined, 10_000, 10_000],
  ['the cap for an empty text', '', undefined, 10_000, 10_000],
  ['the cap for a text that is no duration', 'soon', undefined, 10_000, 10_000],
  ['what a timer holds', '', undefined, 2 ** 40, 2 ** 31 - 1],
] as const) {
  test(`P-33: the time-out is the least one: ${what}`, async (t) => {
    let given = 0;
    const action = acting(
      'echo',
      async ({ timeoutMs }) => {
        given = timeoutMs;
        return { kind: 'exited', exitCode: 0 };
      },
      actionMs === undefined ? {} : { timeoutMs: actionMs },
    );
    const { executor, resultOf } = await createTestExecutor(t, {
      actions: [action],
      limits: { maxActionTimeoutMs: capMs },
    });
    const received = receive({ timeout });

    await executor.execute(received);

    assert.equal((await resultOf(idOf(received))).status, 'success');
    assert.equal(given, expected);
  });
}

for (const [what, fail] of [
  ['throws', () => Promise.reject(new Error('secret path /etc/shadow'))],
  [
    'throws before it is asynchronous',
    () => {
      throw new TypeError('secret path /etc/shadow');
    },
  ],
] as const) {
  test(`S-P-27, P-106: an action that ${what} is an error without internals, and its slot is free again`, async (t) => {
    const { executor, resultOf, logs } = await createTestExecutor(t, {
      actions: [acting('echo', fail), answering('next')],
      limits: { maxConcurrent: 1 },
    });
    const received = receive();
    await executor.execute(received);
    const result = await resultOf(idOf(received));

    assert.deepEqual([result.status, result.error_code], ['error', 'internal']);
    assert.doesNotMatch(JSON.stringify(result), /shadow|\.ts/);
    assert.ok(logs.some((line) => line.level === 'error' && JSON.stringify(line).includes('/etc/shadow')));
    const next = receive({ action: 'next' });
    await until(() => executor.activeCount() === 0, { what: 'a free slot' });
    await executor.execute(next);
    assert.equal((await resultOf(idOf(next))).status, 'success');
  });
}

test('an action that throws because its signal fired has timed out, it did not fail', async (t) => {
  const action = acting(
    'echo',
    ({ signal }) => new Promise((_, fail) => signal.addEventListener('abort', () => fail(signal.reason))),
  );
  const { executor, resultOf } = await createTestExecutor(t, { actions: [action] });
  const received = receive({ timeout: '10ms' });

  await executor.execute(received);

  assert.equal((await resultOf(idOf(received))).status, 'timeout');
});

test('an action that does not end when it is told to is given up, and its slot is free again', async (t) => {
  const action = acting('echo', () => new Promise(() => undefined));
  const { executor, resultOf } = await createTestExecutor(t, { actions: [action] });
  const received = receive({ timeout: '10ms' });

  await executor.execute(received);

  assert.equal((await resultOf(idOf(received))).status, 'timeout');
  await until(() => executor.activeCount() === 0, { what: 'a free slot' });
});

test('promise 5: the time-out ends with the program, not with what is cleared away after it', async (t) => {
  const action = acting('echo', async ({ exited, timeoutMs }) => {
    exited?.();
    await afterMs(5 * timeoutMs);
    return { kind: 'exited', exitCode: 0 };
  });
  const { executor, resultOf } = await createTestExecutor(t, { actions: [action] });
  const received = receive({ timeout: '20ms' });

  await executor.execute(received);

  const { status, exit_code } = await resultOf(idOf(received));
  assert.deepEqual([status, exit_code], ['success', 0]);
});

for (const [what, parameters, code] of [
  ['a missing required parameter', {}, 'missing_required_parameter'],
  ['an empty required parameter', { target: '' }, 'missing_required_parameter'],
  ['no address where one is wanted', { target: 'example.org' }, 'invalid_parameter'],
  ['text where a number is wanted', { target: '::1', count: 'many' }, 'invalid_parameter'],
  ['a fraction where an integer is wanted', { target: '::1', count: 1.5 }, 'invalid_parameter'],
  ['a number where a truth is wanted', { target: '::1', loud: 1 }, 'invalid_parameter'],
] as const) {
  test(`P-88, S-P-45: ${what} is accepted, then an error: ${code}`, async (t) => {
    let ran = false;
    const { executor, acks, resultOf } = await createTestExecutor(t, { actions: [strict(() => (ran = true))] });
    const received = receive({ parameters });

    await executor.execute(received);

    const result = await resultOf(idOf(received));
    assert.deepEqual([result.status, result.error_code], ['error', code]);
    assert.ok((result.error ?? '').length > 0);
    assert.deepEqual(acks(idOf(received)), ['']);
    assert.equal(ran, false);
  });
}

test('parameters reach the action by their types, with defaults, and undeclared ones as they are', async (t) => {
  let seen: unknown;
  const { executor, resultOf } = await createTestExecutor(t, {
    actions: [strict((values) => (seen = Object.fromEntries(values)))],
  });
  const received = receive({ parameters: { target: '10.0.0.1', count: '3', loud: 'true', 'my-param.name!': 'x' } });

  await executor.execute(received);
  await resultOf(idOf(received));

  assert.deepEqual(seen, { target: '10.0.0.1', count: 3, loud: true, mode: 'fast', 'my-param.name!': 'x' });
});

for (const [what, byte, maxPacketBytes] of [256 * 1024, 32 * 1024, 16 * 1024].flatMap((bytes) => [
  ['control characters', 0x01, bytes] as const,
  ['bytes that are no text', 0xff, bytes] as const,
  ['quotes', 0x22, bytes] as const,
])) {
  test(`a result full of ${what} fits a packet of ${maxPacketBytes}, and the rest follows as output messages`, async (t) => {
    const bytes = Buffer.alloc(300_000, byte);
    const action = acting('echo', async ({ output }) => {
      output.write('stdout', bytes);
      output.write('stderr', bytes);
      return { kind: 'exited', exitCode: 0 };
    });
    const { executor, journal, output, resultOf } = await createTestExecutor(t, { actions: [action], maxPacketBytes });
    const received = receive();
    await executor.execute(received);
    const result = await resultOf(idOf(received));

    const packets = [journal.resultOf(idOf(received)) ?? Buffer.alloc(0), ...journal.outputOf(idOf(received))];
    for (const packet of packets) assert.ok(encodeBase64Url(packet).length + KEEP_FOR_JWS_BYTES <= maxPacketBytes);
    assert.equal(result.chunks, output.length);
    assert.deepEqual(
      output.map(({ seq }) => seq),
      output.map((_, index) => index),
    );
    for (const stream of ['stdout', 'stderr'] as const) {
      const pieces = output.filter((piece) => piece.stream === stream);
      const joined = pieces.map(({ data, encoding }) => Buffer.from(data, encoding === 'base64' ? 'base64' : 'utf8'));
      assert.ok(Buffer.concat(joined).equals(bytes));
      assert.equal(pieces.at(-1)?.last, true);
    }
  });
}

test('output is published while the action runs when the request wants it', async (t) => {
  let end: () => void = () => undefined;
  const action = acting('echo', async ({ output }) => {
    output.write('stdout', 'first\n');
    await new Promise<void>((resolve) => (end = resolve));
    output.write('stdout', 'second\n');
    return { kind: 'exited', exitCode: 0 };
  });
  const { executor, journal, output, results, resultOf } = await createTestExecutor(t, { actions: [action] });
  const received = receive({ stream: true });
  const id = idOf(received);

  await executor.execute(received);
  await until(() => output.length > 0, { what: 'output' });
  assert.deepEqual(results(id), []);
  assert.equal([...executor.liveOutput(id, 0)].length, 1);
  end();

  const { chunks } = await resultOf(id);
  assert.equal(output.map(({ data }) => data).join(''), 'first\nsecond\n');
  assert.equal(chunks, [...journal.outputOf(id)].length);
});

test('S-P-26, P-105, P-110: an ack that does not get through changes nothing and leaves a warning', async (t) => {
  const { executor, resultOf, logs } = await createTestExecutor(t, {
    reporter: { ack: () => Promise.reject(new MusterError('not_connected', 'There is no connection')) },
  });
  const received = receive();

  await executor.execute(received);

  assert.equal((await resultOf(idOf(received))).status, 'success');
  const warning = logs.find(({ level, execution_id }) => level === 'warn' && execution_id === idOf(received));
  assert.equal(warning?.error, 'There is no connection');
});

test('P-19, P-107…P-109, P-115: what was asked, refused and ended is logged with its keys and component actions', async (t) => {
  const { executor, resultOf, logs } = await createTestExecutor(t);
  const [done, refused] = [receive(), receive({ action: 'nothing' })];
  for (const received of [done, refused]) await executor.execute(received);
  const { duration } = await resultOf(idOf(done));

  const lines = (id: string) => logs.filter(({ execution_id }) => execution_id === id);
  assert.deepEqual(
    lines(idOf(done)).map(({ level, action, status, duration: took }) => [level, action, status, took]),
    [
      ['info', 'echo', undefined, undefined],
      ['info', undefined, 'success', duration],
    ],
  );
  assert.deepEqual(
    lines(idOf(refused)).map(({ level, action, reason }) => [level, action, reason]),
    [
      ['info', 'nothing', undefined],
      ['warn', 'nothing', 'unknown_action'],
    ],
  );
  assert.ok(logs.every(({ component }) => component === 'actions'));
});

test('P-114: a request that a disabled agent refuses is a warning with its id and action', async (t) => {
  const { executor, logs } = await createTestExecutor(t, { limits: { enabled: false } });
  const received = receive({ action: 'echo' });

  await executor.execute(received);

  const warning = logs.find(({ level }) => level === 'warn');
  assert.deepEqual(
    [warning?.msg, warning?.execution_id, warning?.action],
    ['actions disabled', idOf(received), 'echo'],
  );
});

test('a journal that cannot take the request rejects it with storage_failed, and nothing runs', async (t) => {
  const journal = await openTestJournal(t, temporaryDirectory(t), { maxBytes: 512 });
  const wait = waiting('echo');
  const { executor, acks } = await createTestExecutor(t, { journal, actions: [wait.action] });
  const received = receive();

  await executor.execute(received);

  assert.deepEqual(acks(idOf(received)), ['storage_failed']);
  assert.deepEqual([wait.started(), executor.activeCount(), journal.find(idOf(received))], [0, 0, undefined]);
});

/** An action with a parameter of each kind. */
function strict(run: (values: ReadonlyMap<string, unknown>) => void) {
  return acting(
    'echo',
    async ({ parameters }) => {
      run(parameters);
      return { kind: 'exited', exitCode: 0 };
    },
    {
      parameters: [
        { name: 'target', type: 'ip', required: true, description: '' },
        { name: 'count', type: 'integer', required: false, description: '' },
        { name: 'loud', type: 'boolean', required: false, description: '' },
        { name: 'mode', type: 'string', required: false, default: 'fast', description: '' },
      ],
    },
  );
}
