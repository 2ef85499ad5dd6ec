import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { LocalStatus } from '../../../agent/local/messages.js';
import { Result } from '../../../protocol/messages/result.js';
import { writeHook } from '../../support/hooks.js';
import { type LocalAgent, startLocalAgent } from '../../support/local-agent.js';
import { endOf } from '../../support/muster.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const ME = userInfo().username;
const NOBODY = 65534;

test('without any network, and before any welcome, a person on the node runs actions and sees how the agent is', async (t) => {
  const agent = await startLocalAgent(t);

  const run = await agent.ask(['run', 'gather_info', '--reason', 'ticket 4711', '--json']);
  const human = await agent.ask(['status']);
  const status = await statusOf(agent);

  assert.equal(run.exitCode, 0, run.stderr);
  const result = Result.parse(JSON.parse(run.stdout));
  assert.deepEqual([result.origin, result.action, result.status], ['local', 'gather_info', 'success']);
  assert.deepEqual(result.triggered_by, { type: 'local', id: ME, reason: 'ticket 4711' });
  assert.equal(status.broker.connected_since, null);
  assert.equal(status.last_welcome, null);
  assert.deepEqual([status.journal.starts, status.journal.unreceipted, status.journal.epoch], [1, 1, null]);
  assert.deepEqual(
    status.local.map(({ execution_id, action, by, receipted }) => [execution_id, action, by, receipted]),
    [[result.execution_id, 'gather_info', ME, false]],
  );
  assert.match(human.stdout, /connected: +no\n/);
  const password = /"password": "([^"]+)"/.exec(readFileSync(join(agent.dataDir, 'agent', 'identity.json'), 'utf8'));
  assert.ok(password?.[1] !== undefined && !`${human.stdout}${JSON.stringify(status)}`.includes(password[1]));
});

test('an agent that was killed too often says until when it only reads, and refuses the rest', async (t) => {
  const agent = await startLocalAgent(t);
  await addHook(agent, 'change', '#!/bin/sh\n');
  assert.equal((await statusOf(agent)).actions.reads_only_until, null);
  for (let kills = 0; kills < 3; kills += 1) {
    await agent.kill();
    await agent.start();
  }

  const human = await agent.ask(['status']);
  const [change, read] = [await agent.ask(['run', 'change']), await agent.ask(['run', 'gather_info'])];

  assert.match(human.stdout, /\nheld: +restarted too often: only reading actions until 2\d{3}-/);
  assert.match(String((await statusOf(agent)).actions.reads_only_until), /Z$/);
  assert.match(change.stderr, /max_concurrent_reached/);
  assert.equal(read.exitCode, 0);
});

test('what the node can do is listed with parameters', async (t) => {
  const agent = await startLocalAgent(t);
  await addHook(agent, 'backup', '#!/bin/sh\n', { parameters: [{ name: 'to', type: 'string', required: true }] });

  const { stdout } = await agent.ask(['actions']);
  const json = await agent.ask(['actions', '--json']);

  assert.match(stdout, /^ACTION +KIND +RISK +PARAMETERS +DESCRIPTION\n/);
  assert.match(stdout, /\nping +builtin +read +target:/);
  assert.match(stdout, /\nbackup +hook +\w+ +to:string/);
  const { builtins, hooks } = z
    .object({ builtins: z.array(z.looseObject({})), hooks: z.array(z.looseObject({})) })
    .parse(JSON.parse(json.stdout));
  assert.ok(builtins.length >= 2 && hooks.length === 1);
});

test('the output of a hook goes where its own would, and its exit code decides', async (t) => {
  const agent = await startLocalAgent(t);
  await addHook(agent, 'speak', '#!/bin/sh\necho "out $MUSTER_PARAM_WORD"\necho err >&2\nexit 3\n');

  const { exitCode, stdout, stderr } = await agent.ask(['run', 'speak', 'word=hello']);

  assert.equal(exitCode, 1);
  assert.equal(stdout, 'out hello\n');
  assert.match(stderr, /^err\npump: failed, exit code 3, /);
});

test('a hook that was changed just now runs as it is now', async (t) => {
  const agent = await startLocalAgent(t);
  await addHook(agent, 'version', '#!/bin/sh\necho one\n');
  for (let version = 2; version < 12; version += 1) {
    writeHook(agent.hooksDir, 'version', `#!/bin/sh\necho ${version}\n`);
    const { stdout, stderr } = await agent.ask(['run', 'version']);
    assert.equal(stdout, `${version}\n`, stderr);
  }
});

test('a megabyte of output comes whole, and nothing of it moves the cursor', async (t) => {
  const agent = await startLocalAgent(t);
  const script = '#!/bin/sh\nseq 1 100000\nprintf "\\033[2J"\n';
  await addHook(agent, 'long', script);

  const { stdout, stderr } = await agent.ask(['run', 'long', '--timeout', '20s']);

  const lines = Array.from({ length: 100_000 }, (_, index) => `${index + 1}\n`).join('');
  assert.equal(stdout, `${lines}\\x1b[2J\n`, stderr);
});

test('with --stream the output is there before the action has ended', async (t) => {
  const agent = await startLocalAgent(t);
  const go = join(temporaryDirectory(t), 'go');
  await addHook(agent, 'slow', `#!/bin/sh\necho first\nwhile [ ! -e ${go} ]; do sleep 0.05; done\necho second\n`);
  const asking = agent.spawn(['run', 'slow', '--stream']);
  let seen = '';
  asking.stdout?.on('data', (bytes: Buffer) => {
    seen += bytes.toString();
  });

  await until(() => seen === 'first\n', { what: 'the first line' });
  writeHook(join(go, '..'), 'go', '');
  const { exitCode, stdout } = await endOf(asking);

  assert.equal(exitCode, 0);
  assert.equal(stdout.endsWith('second\n'), true);
});

test('the first Ctrl-C ends the action and shows how, with exit code 130', async (t) => {
  const agent = await startLocalAgent(t);
  const started = await addWaitingHook(t, agent);
  const asking = agent.spawn(['run', 'wait']);
  const ended = endOf(asking);
  await until(() => existsSync(started), { what: 'the start' });

  asking.kill('SIGINT');
  const { exitCode, stderr } = await ended;

  assert.equal(exitCode, 130);
  assert.match(stderr, /^pump: cancelled, .*launched: yes\n/);
  assert.deepEqual((await statusOf(agent)).running, []);
});

test('who loses the terminal loses nothing: the action goes on, and status shows it', async (t) => {
  const agent = await startLocalAgent(t);
  const go = join(temporaryDirectory(t), 'go');
  await addHook(agent, 'slow', `#!/bin/sh\nwhile [ ! -e ${go} ]; do sleep 0.05; done\n`);
  const asking = agent.spawn(['run', 'slow', '--stream']);
  const running = () => statusOf(agent).then((status) => status.running[0]);
  await until(running, { what: 'the start' });

  asking.kill('SIGKILL');
  await endOf(asking);
  const execution = await running();
  writeHook(join(go, '..'), 'go', '');

  assert.deepEqual([execution?.action, execution?.by, execution?.origin], ['slow', ME, 'local']);
  const done = await until(async () => (await statusOf(agent)).local[0], { what: 'the end' });
  assert.deepEqual([done.execution_id, done.status], [execution?.execution_id, 'success']);
});

test('after a kill -9 of the agent a local execution is interrupted, once, and was not run again', async (t) => {
  const agent = await startLocalAgent(t);
  const started = await addWaitingHook(t, agent);
  const asking = endOf(agent.spawn(['run', 'wait']));
  await until(() => existsSync(started), { what: 'the start' });

  await agent.kill();
  const { exitCode, stderr } = await asking;
  await agent.start();

  assert.equal(exitCode, 69);
  assert.match(stderr, /agent_not_found/);
  const [execution, ...others] = await until(async () => nonEmpty((await statusOf(agent)).local), {
    what: 'the outcome',
  });
  assert.deepEqual([execution?.action, execution?.status, others.length], ['wait', 'error', 0]);
  assert.ok(stderr.includes(execution?.execution_id ?? 'none'));
  assert.equal(readFileSync(started, 'utf8'), 'x\n');
});

test('the socket of an agent that was killed is replaced', async (t) => {
  const agent = await startLocalAgent(t);
  await agent.kill();
  assert.ok(existsSync(agent.socket));
  assert.equal((await agent.ask(['status'])).exitCode, 69);

  await agent.start();

  assert.equal((await agent.ask(['status'])).exitCode, 0);
});

test('a path of any length serves, though a socket address holds 107 bytes', async (t) => {
  const directory = join(temporaryDirectory(t), 'd'.repeat(150));
  const agent = await startLocalAgent(t, [`--local-socket=${join(directory, 'a-name.sock')}`]);

  assert.equal((await agent.ask(['status'])).exitCode, 0);
});

test('what cannot be asked is said in a sentence, with the exit code of its kind', async (t) => {
  const agent = await startLocalAgent(t);
  for (const [words, exitCode, code] of [
    [['run', 'nothing'], 1, 'unknown_action'],
    [['run', 'ping'], 2, 'missing_required_parameter'],
    [['run', 'ping', 'target=10.0.0.1', 'colour=red'], 2, 'invalid_parameter'],
    [['run', 'gather_info', '--timeout', '0s'], 2, 'usage'],
    [['run', '../../bin/sh'], 2, 'usage'],
    [['run', 'ping', 'target'], 2, 'usage'],
    [['run'], 2, 'usage'],
    [['status', 'all'], 2, 'usage'],
    [['status', '--stream'], 2, 'usage'],
    [['actions', '--colour'], 2, 'usage'],
    [['status', '--socket', join(agent.dataDir, 'none.sock')], 69, 'agent_not_found'],
    [['status', '--socket', '/dev/null/none.sock'], 69, 'agent_not_found'],
  ] as const) {
    const end = await agent.ask(words);
    assert.deepEqual([end.exitCode, end.stdout], [exitCode, ''], words.join(' '));
    assert.match(end.stderr, new RegExp(`^muster: .+ \\[${code}\\]\n  What to do: .+\n$`), words.join(' '));
  }
});

test('another user of the node is let in only when listed, and is named in what it ran', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('only root can become another user');
  const closed = await startLocalAgent(t);
  const socketOf = (): string => `--local-socket=${join(openDirectory(t), 'agent.sock')}`;
  const others = await startLocalAgent(t, [socketOf(), '--local-users=["12345", "someone-unknown"]']);
  const open = await startLocalAgent(t, [socketOf(), `--local-users=["${NOBODY}"]`]);

  const refusals = await Promise.all([closed, others].map((agent) => agent.ask(['status'], { uid: NOBODY })));
  const served = await open.ask(['run', 'gather_info', '--json'], { uid: NOBODY });

  for (const { exitCode, stderr } of refusals) {
    assert.equal(exitCode, 77);
    assert.match(stderr, /not_a_local_user/);
  }
  assert.equal(served.exitCode, 0, served.stderr);
  assert.equal(Result.parse(JSON.parse(served.stdout)).triggered_by?.id, nameOfNobody());
  assert.equal((await others.ask(['status'])).exitCode, 0, 'root always may');
});

async function statusOf(agent: LocalAgent): Promise<LocalStatus> {
  const { stdout, stderr } = await agent.ask(['status', '--json']);
  assert.equal(stderr, '');
  return LocalStatus.parse(JSON.parse(stdout));
}

/** Writes a hook and waits until the agent offers it. */
async function addHook(agent: LocalAgent, name: string, script: string, sidecar?: unknown): Promise<void> {
  if (sidecar !== undefined) writeHook(agent.hooksDir, `${name}.json`, JSON.stringify(sidecar), 0o644);
  writeHook(agent.hooksDir, name, script);
  await until(async () => (await agent.ask(['actions'])).stdout.includes(`\n${name} `), { what: `the hook ${name}` });
}

/** A hook that writes a line to the file that this gives, and then waits for ever. */
async function addWaitingHook(t: Parameters<typeof temporaryDirectory>[0], agent: LocalAgent): Promise<string> {
  const started = join(temporaryDirectory(t), 'started');
  await addHook(agent, 'wait', `#!/bin/sh\necho x >> ${started}\nexec sleep 60\n`);
  return started;
}

function openDirectory(t: Parameters<typeof temporaryDirectory>[0]): string {
  const directory = temporaryDirectory(t);
  chmodSync(directory, 0o755);
  return directory;
}

function nameOfNobody(): string {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((each) => each.split(':')[2] === String(NOBODY));
  return line?.split(':')[0] ?? `uid ${NOBODY}`;
}

function nonEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}
