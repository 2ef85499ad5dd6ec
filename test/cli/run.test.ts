import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { z } from 'zod';
import { ExecutionView, InvocationView } from '../../controller/http/schemas.js';
import { sha256Hex } from '../../protocol/envelope.js';
import type { Result } from '../../protocol/messages/result.js';
import { endOf, runMuster, spawnMuster, startTestController } from '../support/muster.js';
import type { ScriptedAgent } from '../support/scripted-agent.js';
import { until } from '../support/until.js';

const Outcome = z.strictObject({ invocation: InvocationView, executions: z.array(ExecutionView) });

/** Takes the next offer and answers it so. */
async function answer(agent: ScriptedAgent, changes: Partial<Result>): Promise<void> {
  const offered = await agent.nextOffer();
  await agent.ack(offered);
  await agent.result(offered, changes);
}

function printed(stdout: string, stderr = ''): Partial<Result> {
  return {
    ...{ stdout, stdout_bytes: Buffer.byteLength(stdout), stdout_sha256: sha256Hex(stdout) },
    ...{ stderr, stderr_bytes: Buffer.byteLength(stderr), stderr_sha256: sha256Hex(stderr) },
  };
}

test("one node's output is printed plainly, then exit code and duration, and nothing on stderr", async (t) => {
  const controller = await startTestController(t);
  const agent = await controller.startAgent('pump-1');

  const running = controller.muster('run', 'ping', '--node', 'pump-1', '--yes');
  await answer(agent, { ...printed('one\ntwo\n'), duration: '1.234s', duration_ms: 1234 });
  const { exitCode, stdout, stderr } = await running;

  assert.deepEqual([exitCode, stderr], [0, '']);
  assert.equal(stdout, 'one\ntwo\npump-1: success, exit code 0, 1.234s\n');
});

test('an action that fails ends with 1 and shows why', async (t) => {
  const controller = await startTestController(t);
  const agent = await controller.startAgent('pump-1');

  const failing = controller.muster('run', 'ping', '--node', 'pump-1', '--yes');
  await answer(agent, { status: 'failed', exit_code: 3, ...printed('', 'no such host\n') });
  const failed = await failing;
  assert.deepEqual([failed.exitCode, failed.stdout], [1, 'no such host\npump-1: failed, exit code 3, 5ms\n']);

  const erring = controller.muster('run', 'ping', '--node', 'pump-1', '--yes');
  const error = { error_code: 'start_failed', error: 'the file is gone', launched: 'no' as const };
  await answer(agent, { status: 'error', exit_code: -1, ...error, ...printed('') });
  const erred = await erring;
  assert.deepEqual(
    [erred.exitCode, erred.stdout],
    [1, 'pump-1: error, 5ms, start_failed: the file is gone, launched: no\n'],
  );
});

test('like results of many nodes are shown once, then a line for each node', async (t) => {
  const controller = await startTestController(t);
  const agents = [];
  for (const node of ['pump-1', 'pump-2', 'pump-3']) agents.push(await controller.startAgent(node));

  const running = controller.muster('run', 'ping', '--all', '--yes');
  const ends = [printed('fine\n'), { status: 'failed' as const, exit_code: 1, ...printed('bad\n') }, printed('fine\n')];
  await Promise.all(agents.map((agent, index) => answer(agent, ends[index] ?? {})));
  const { exitCode, stdout } = await running;

  assert.equal(exitCode, 1);
  assert.equal(stdout.match(/fine/g)?.length, 1);
  assert.match(stdout, /^pump-1, pump-3: success, exit code 0\n {2}fine\n/);
  assert.match(stdout, /^pump-2: failed, exit code 1\n {2}bad$/m);
  assert.match(stdout, /^NODE +STATUS +EXIT +DURATION +NOTE\npump-1 +success +0 +5ms\npump-2 +failed +1 +5ms\n/m);
  assert.match(stdout, /\n2 of 3 succeeded\n$/);
});

test('as JSON the outcome is the invocation and its executions, and parameters have the announced types', async (t) => {
  const controller = await startTestController(t);
  const parameters = [{ name: 'count', type: 'integer' as const, required: true, description: '' }];
  const agent = await controller.startAgent('pump-1', {
    actions: [{ name: 'ping', description: '', parameters }],
    runs: true,
  });

  const args = ['--reason', 'a test', '--timeout', '5s', '--expires-in', '1h', '--yes', '--json'];
  const { exitCode, stdout } = await controller.muster('run', 'ping', 'count=3', '--node', 'pump-1', ...args);

  assert.equal(exitCode, 0);
  const { invocation, executions } = Outcome.parse(JSON.parse(stdout));
  assert.deepEqual([invocation.parameters, invocation.reason, invocation.timeout], [{ count: 3 }, 'a test', '5s']);
  assert.deepEqual(agent.offers[0]?.request.parameters, { count: 3 });
  assert.deepEqual(
    executions.map(({ node, status, exit_code, stdout: text }) => [node, status, exit_code, text]),
    [['pump-1', 'success', 0, 'done\n']],
  );
});

test('hostile output reaches the terminal spelled out, and bytes that are no text are only counted', async (t) => {
  const controller = await startTestController(t);
  const agent = await controller.startAgent('pump-1');

  const running = controller.muster('run', 'ping', '--node', 'pump-1', '--yes');
  await answer(agent, printed('\x1b[2J\x1b]8;;http://evil\x07click\r\nok\ttab\u202e\n'));
  const { stdout } = await running;
  assert.equal(stdout, '\\x1b[2J\\x1b]8;;http://evil\\x07click\nok\ttab\\u202e\npump-1: success, exit code 0, 5ms\n');

  const binary = controller.muster('run', 'ping', '--node', 'pump-1', '--yes');
  const bytes = Buffer.from([0xff, 0x1b, 0x5b]);
  await answer(agent, {
    ...{ stdout: bytes.toString('base64'), stdout_encoding: 'base64' },
    ...{ stdout_bytes: 3, stdout_sha256: sha256Hex(bytes) },
  });
  assert.match((await binary).stdout, /^\[stdout: 3 bytes that are not text\]\npump-1: success/);
});

test('with --stream lines are shown as they come, characters whole, and not again at the end', async (t) => {
  const controller = await startTestController(t);
  const agent = await controller.startAgent('pump-1');
  const child = spawnMuster(t, ['run', 'ping', '--node', 'pump-1', '--stream', '--yes'], {
    MUSTER_DATA: controller.dataDir,
  });
  let shown = '';
  child.stdout?.on('data', (text: Buffer) => {
    shown += text.toString();
  });
  const ended = endOf(child);
  const whole = Buffer.from('first\nsecond ü\x1b[2J\r\nlast');
  const offered = await agent.nextOffer();
  await agent.ack(offered);
  const say = (seq: number, from: number, to: number): Promise<void> =>
    agent.say('output', 'muster-output', {
      ...{ v: 1, execution_id: offered.request.execution_id, node: 'pump-1', org: 'default', seq, stream: 'stdout' },
      ...{ offset: from, data: whole.subarray(from, to).toString('base64'), encoding: 'base64' },
      last: to === whole.length,
    });

  await say(0, 0, 14); // ends within the ü
  await until(() => shown.includes('first\n'), { what: 'the first line' });
  assert.equal(shown, 'first\n');
  await say(1, 14, whole.length);
  await agent.result(offered, {
    ...printed(whole.toString()),
    chunks: 2,
  });
  const { exitCode, stdout } = await ended;

  assert.equal(exitCode, 0);
  assert.equal(stdout, 'first\nsecond ü\\x1b[2J\nlast\npump-1: success, exit code 0, 5ms\n');
});

test('output that the node had to drop is said to be cut', async (t) => {
  const controller = await startTestController(t);
  const agent = await controller.startAgent('pump-1');

  const running = controller.muster('run', 'ping', '--node', 'pump-1', '--yes');
  await answer(agent, { ...printed('kept\n'), stdout_truncated: true });

  assert.equal(
    (await running).stdout,
    'kept\n[stdout: the node dropped what came past its limit]\npump-1: success, exit code 0, 5ms\n',
  );
});

test('an ask that is refused ends with the exit code of its refusal, and nothing is stored', async (t) => {
  const controller = await startTestController(t);
  const parameters = [{ name: 'host', type: 'ip' as const, required: true, description: '' }];
  await controller.startAgent('pump-1', { actions: [{ name: 'probe', description: '', parameters }] });

  const refused: readonly (readonly [args: readonly string[], code: string])[] = [
    [['probe', '--node', 'pump-1'], 'missing_required_parameter'],
    [['probe', 'host=everywhere', '--node', 'pump-1'], 'invalid_parameter'],
    [['probe', 'host=10.0.0.1', 'port=1', '--node', 'pump-1'], 'invalid_parameter'],
    [['nothing', '--node', 'pump-1'], 'unknown_action'],
    [['probe', 'host=10.0.0.1', '--node', 'pump-2'], 'unknown_node'],
    [['probe', 'host=10.0.0.1', '--group', 'fans'], 'unknown_group'],
    [['probe', 'host=10.0.0.1', '--label', 'site=north'], 'no_target'],
    [['probe', 'host=10.0.0.1', '--node', 'pump/1'], 'invalid_request'],
    [['probe', 'host=10.0.0.1', '--node', 'pump-1', '--timeout', 'soon'], 'invalid_request'],
  ];
  for (const [args, code] of refused) {
    const { exitCode, stdout, stderr } = await controller.muster('run', ...args, '--yes');
    const expected = /^(invalid|missing)_/.test(code) ? 2 : 1; // the command line itself is wrong, or what it names is not there
    assert.deepEqual([exitCode, stdout], [expected, ''], stderr);
    assert.ok(stderr.includes(`[${code}]`), stderr);
  }
  assert.equal((await controller.muster('invocations')).stdout, 'Nothing was asked yet.\n');
});

test('an action that a node calls dangerous is denied with 77', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('pump-1', {
    actions: [{ name: 'wipe', description: '', risk: 'danger', parameters: [] }],
  });

  const { exitCode, stdout, stderr } = await controller.muster('run', 'wipe', '--node', 'pump-1', '--yes');

  assert.deepEqual([exitCode, stdout], [77, '']);
  assert.match(stderr, /\[denied_by_policy\]/);
});

test('Ctrl-C leaves the action running, says its id and ends with 130; show then tells its end', async (t) => {
  const controller = await startTestController(t);
  const agent = await controller.startAgent('pump-1');

  const child = spawnMuster(t, ['run', 'ping', '--node', 'pump-1', '--yes'], { MUSTER_DATA: controller.dataDir });
  const ended = endOf(child);
  const offered = await agent.nextOffer();
  await agent.ack(offered);
  await until(async () => (await controller.muster('invocations')).stdout.includes('executing'), { what: 'it runs' });
  child.kill('SIGINT');
  const { exitCode, stdout, stderr } = await ended;

  assert.deepEqual([exitCode, stdout], [130, '']);
  const [, id = ''] =
    /^The action goes on\. Look at it with: muster show (\S+)\nEnd it with: muster cancel \1\n$/.exec(stderr) ?? [];
  await agent.result(offered);
  await until(async () => (await controller.muster('invocations')).stdout.includes('completed'), { what: 'its end' });
  const shown = await controller.muster('show', id);
  assert.equal(shown.exitCode, 0);
  assert.match(
    shown.stdout,
    new RegExp(`^invocation: ${id}\nstatus: +completed\naction: +ping\ntarget: +nodes pump-1\n`),
  );
  assert.match(shown.stdout, /\ndone\npump-1: success, exit code 0, 5ms\n/);
  assert.match(shown.stdout, /\nNODE +SENT +ACCEPTED +FINISHED +STORED\npump-1( +\d{4}-\S+Z){4}\n$/);
});

test('an ask whose answer is lost is sent again, and is one invocation', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('pump-1', { runs: true });
  let lost = 0;
  const proxy = createServer((socket) => {
    const target = connect(Number(new URL(controller.url).port), '127.0.0.1');
    socket.on('error', () => target.destroy()).on('close', () => target.destroy());
    target.on('error', () => socket.destroy()).on('close', () => socket.destroy());
    socket.on('data', (bytes: Buffer) => target.write(bytes));
    target.on('data', (bytes: Buffer) => {
      if (lost === 0 && bytes.includes('HTTP/1.1 202')) {
        lost += 1;
        socket.destroy();
      } else socket.write(bytes);
    });
  });
  await new Promise<void>((bound) => proxy.listen(0, '127.0.0.1', bound));
  t.after(() => proxy.close());
  const address = proxy.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;

  const { exitCode, stdout } = await runMuster(t, ['run', 'ping', '--all', '--yes', '--json'], {
    ...{ MUSTER_URL: url, MUSTER_TOKEN: controller.token },
  });

  assert.deepEqual([exitCode, lost], [0, 1]);
  const { invocation } = Outcome.parse(JSON.parse(stdout));
  const { stdout: list } = await controller.muster('invocations', '--json');
  assert.deepEqual(
    z
      .object({ items: z.array(z.object({ id: z.string() })) })
      .parse(JSON.parse(list))
      .items.map(({ id }) => id),
    [invocation.id],
  );
});

test('a detached run prints the id alone; show of what there is not ends with 1, of what cannot be with 2', async (t) => {
  const controller = await startTestController(t);
  const agent = await controller.startAgent('pump-1');

  const { exitCode, stdout } = await controller.muster('run', 'ping', '--node', 'pump-1', '--detach', '--yes');

  assert.equal(exitCode, 0);
  assert.match(stdout, /^[0-9a-f-]{36}\n$/);
  assert.match((await controller.muster('show', stdout.trim())).stdout, /^pump-1: (queued|sent|accepted)/m);
  const missing = await controller.muster('show', '0197f0c2-9f5c-7b31-8e4a-6a0d5f1c2b3d');
  assert.deepEqual([missing.exitCode, missing.stdout], [1, '']);
  assert.match(missing.stderr, /\[not_found\]/);
  assert.equal((await controller.muster('show', '../nodes')).exitCode, 2);
  assert.equal((await agent.nextOffer()).request.action, 'ping');
});

test('a reader that has seen enough is no failure', async (t) => {
  const controller = await startTestController(t);

  const child = spawnMuster(t, ['nodes', '--json'], { MUSTER_DATA: controller.dataDir });
  child.stdout?.destroy();
  const [exitCode] = await once(child, 'close');

  assert.equal(exitCode, 0);
});
