import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { askAgent } from '../../../agent/local/client.js';
import { createLineCutter, parseLine, toLine } from '../../../agent/local/lines.js';
import { Answer, MAX_ASK_BYTES } from '../../../agent/local/messages.js';
import { namesOf, SOCKET_NAME } from '../../../agent/local/place.js';
import { identityOf, makeProof } from '../../../agent/local/proof.js';
import { listenLocally } from '../../../agent/local/server.js';
import type { ErrorCode } from '../../../protocol/errors.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { startTestBroker } from '../../support/broker.js';
import { startControlledAgent } from '../../support/controlled-agent.js';
import { writeHook } from '../../support/hooks.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const STATUS = { kind: 'status' } as const;
const GARBAGE: readonly (string | Buffer)[] = [
  '',
  '\n',
  '{}\n',
  'GET / HTTP/1.1\r\n\r\n',
  '{"v":1,"proof":"../../../../etc/passwd","ask":{"kind":"status"}}\n',
  toLine({ v: 1, proof: '0'.repeat(32), ask: { kind: 'reboot' } }),
  toLine({ v: 2, proof: '0'.repeat(32), ask: STATUS }),
  toLine({ v: 1, proof: '0'.repeat(32), ask: STATUS }),
  Buffer.from([0, 255, 254, 10, 0, 10]),
  `${'['.repeat(50_000)}\n`,
  'x'.repeat(MAX_ASK_BYTES + 1),
];

test('a thousand connections with garbage are refused and counted, and the next caller is served', async (t) => {
  const { path, refusals } = await serve(t);

  for (let round = 0; round < 100; round += 1) {
    await Promise.all(
      Array.from({ length: 10 }, (_, index) => throwGarbage(path, GARBAGE[(round + index) % GARBAGE.length] ?? '')),
    );
  }

  assert.equal((await first(path)).kind, 'status');
  assert.ok((await refusals('invalid_request')) > 500);
  assert.ok((await refusals('not_a_local_user')) > 50);
});

test('a refusal is a sentence with its code', async (t) => {
  const { path } = await serve(t);
  for (const [text, code] of [
    ['no json\n', 'invalid_request'],
    ['x'.repeat(MAX_ASK_BYTES + 1), 'invalid_request'],
    [toLine({ v: 1, proof: '0'.repeat(32), ask: STATUS }), 'not_a_local_user'],
  ] as const) {
    const socket = await reach(t, path);
    const answers = answersOf(socket);
    socket.write(text);
    const refused = await until(() => answers.find(({ kind }) => kind === 'refused'), { what: 'the refusal' });
    assert.equal(refused.kind === 'refused' ? refused.code : '', code);
    assert.match(refused.kind === 'refused' ? refused.message : '', /^[A-Z].{10,}/);
  }
});

test('connections that say nothing make room for who has something to ask', async (t) => {
  const { path, refusals } = await serve(t);
  const silent = await Promise.all(Array.from({ length: 40 }, () => reach(t, path)));
  for (const socket of silent) socket.resume(); // else they do not notice their end

  assert.equal((await first(path)).kind, 'status');

  await until(() => silent.filter((socket) => socket.destroyed).length >= 24, { what: 'the oldest leave' });
  assert.ok((await refusals('too_many_callers')) >= 24);
});

test('who does not ask in time is told so', { timeout: 20_000 }, async (t) => {
  const { path, refusals } = await serve(t);
  const answers = answersOf(await reach(t, path));

  const refused = await until(() => answers.find(({ kind }) => kind === 'refused'), { what: 'the refusal' });

  assert.equal(refused.kind === 'refused' ? refused.code : '', 'deadline_passed');
  assert.equal(await refusals('deadline_passed'), 1);
});

test('a challenge that a false agent passes on is worth nothing to it', async (t) => {
  const real = await serve(t);
  const directory = temporaryDirectory(t);
  const path = join(directory, 'false.sock');
  let passedOn: string | undefined;
  let deceived: Socket | undefined;
  const asker = await reach(t, real.path);
  const [challenge] = await untilAnswered(asker);
  const listener = await listenLocally({
    path,
    isShared: true,
    onCaller(socket) {
      deceived = socket;
      socket.write(toLine(challenge));
      socket.on('data', (line: Buffer) => {
        passedOn = JSON.parse(line.toString()).proof;
      });
    },
  });
  t.after(() => {
    deceived?.destroy();
    return listener.stop();
  });

  const call = await askAgent([path], STATUS);
  const asking = call.answers[Symbol.asyncIterator]().next();
  asking.catch(() => undefined);
  const proof = await until(() => passedOn, { what: 'the proof for the false agent' });
  const { directory: realDirectory, callers } = namesOf(real.path);
  symlinkSync(readlinkSync(join(directory, namesOf(path).callers, proof)), join(realDirectory, callers, proof));
  const answers = answersOf(asker);
  asker.write(toLine({ v: 1, proof, ask: STATUS }));

  const answer = await until(() => answers[0], { what: 'the answer' });
  assert.equal(answer.kind === 'refused' ? answer.code : answer.kind, 'not_a_local_user');
});

test('a caller that reads nothing holds up neither its action nor anybody else', async (t) => {
  const { path, hooksDir, ended } = await serve(t);
  writeHook(hooksDir, 'flood', '#!/bin/sh\nhead -c 1000000 /dev/zero | tr "\\0" x\n');
  await until(async () => JSON.stringify(await first(path, { kind: 'actions' })).includes('"flood"'), {
    what: 'the hook',
  });
  const deaf = await reach(t, path);
  const [challenge] = await untilAnswered(deaf);
  deaf.pause();
  const { directory, callers } = namesOf(path);
  const nonce = challenge?.kind === 'challenge' ? challenge.nonce : '';
  const { name } = makeProof(join(directory, callers), nonce, identityOf(path));
  deaf.write(toLine({ v: 1, proof: name, ask: { kind: 'run', action: 'flood', parameters: {}, stream: true } }));

  await until(ended, { what: 'the result' });

  assert.equal((await first(path)).kind, 'status');
});

test('only a cancel may follow an ask', async (t) => {
  const { path } = await serve(t);
  const socket = await reach(t, path);
  const [challenge] = await untilAnswered(socket);
  const { directory, callers } = namesOf(path);
  const nonce = challenge?.kind === 'challenge' ? challenge.nonce : '';
  const { name } = makeProof(join(directory, callers), nonce, identityOf(path));
  const answers = answersOf(socket);
  const run = { kind: 'run', action: 'gather_info', parameters: {} };
  socket.write(`${toLine({ v: 1, proof: name, ask: run })}${toLine({ v: 1, proof: name, ask: run })}`);

  const refused = await until(() => answers.find(({ kind }) => kind === 'refused'), { what: 'the refusal' });

  assert.equal(refused.kind === 'refused' ? refused.code : '', 'invalid_request');
});

test('the kernel keeps everybody else out unless users are listed', async (t) => {
  const closed = await serve(t);
  const open = await serve(t, { local_users: ['4711'] });
  const modeOf = (path: string): string => (statSync(path).mode & 0o7777).toString(8);
  const callersOf = (path: string): string => join(namesOf(path).directory, namesOf(path).callers);

  assert.deepEqual([modeOf(closed.path), modeOf(callersOf(closed.path))], ['600', '700']);
  assert.deepEqual([modeOf(open.path), modeOf(callersOf(open.path))], ['666', '1733']);
});

test('an agent that is told to serves no socket', async (t) => {
  const { path } = await serve(t, { local_socket: 'off' });

  assert.equal(existsSync(path), false);
  await assertRejectsCode(askAgent([path], STATUS), 'agent_not_found');
});

test('a socket that answers is not taken over, and what is no socket is not removed', async (t) => {
  const { path } = await serve(t);
  const elsewhere = join(temporaryDirectory(t), 'agent.sock');
  writeFileSync(elsewhere, 'a diary');
  const listen = (at: string) => listenLocally({ path: at, isShared: false, onCaller: (socket) => socket.destroy() });

  await assertRejectsCode(listen(path), 'already_running');
  await assertRejectsCode(listen(elsewhere), 'data_dir_unusable');
  await assertRejectsCode(listen('/proc/none/agent.sock'), 'data_dir_unusable');

  assert.equal((await first(path)).kind, 'status');
  assert.equal(statSync(elsewhere).size, 7);
});

test('what lies in the directory of the callers is removed at the start, and nothing is followed', async (t) => {
  const directory = temporaryDirectory(t);
  const precious = temporaryDirectory(t);
  writeFileSync(join(precious, 'file'), '');
  const callers = join(directory, 'agent.sock.callers');
  mkdirSync(join(callers, 'deep'), { recursive: true });
  writeFileSync(join(callers, 'deep', 'file'), '');
  symlinkSync(precious, join(callers, 'link'));

  const listener = await listenLocally({
    path: join(directory, 'agent.sock'),
    isShared: true,
    onCaller: () => undefined,
  });
  t.after(listener.stop);

  assert.deepEqual(readdirSync(callers), ['deep']);
  assert.deepEqual(readdirSync(precious), ['file']);
});

test('a link in the place of the directory of the callers is refused', async (t) => {
  const directory = temporaryDirectory(t);
  symlinkSync(temporaryDirectory(t), join(directory, 'agent.sock.callers'));

  await assertRejectsCode(
    listenLocally({ path: join(directory, 'agent.sock'), isShared: true, onCaller: () => undefined }),
    'data_dir_unusable',
  );
});

/** An agent without network, and the path of its local socket. */
async function serve(t: TestContext, settings: Readonly<Record<string, unknown>> = {}) {
  const broker = await startTestBroker(t);
  await broker.stop();
  const directory = temporaryDirectory(t);
  const hooksDir = temporaryDirectory(t);
  const path = join(directory, SOCKET_NAME);
  const { metrics } = await startControlledAgent(t, broker, directory, {
    settings: { hooks_dir: hooksDir, ...settings },
  });
  const refusals = async (code: ErrorCode): Promise<number> => {
    const { values = [] } = (await metrics.registry.getSingleMetric('muster_agent_local_refused_total')?.get()) ?? {};
    return values.find(({ labels }) => labels.code === code)?.value ?? 0;
  };
  const ended = async () => {
    const answer = await first(path);
    return answer.kind === 'status' ? answer.status.local[0] : undefined;
  };
  return { path, hooksDir, refusals, ended };
}

async function reach(t: TestContext, path: string): Promise<Socket> {
  const socket = connect(path);
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  socket.on('error', () => undefined);
  return socket;
}

/** Everything that comes from now on. */
function answersOf(socket: Socket): Answer[] {
  const answers: Answer[] = [];
  const cut = createLineCutter(1024 * 1024);
  socket.on('data', (chunk: Buffer) => {
    for (const line of cut(chunk)) answers.push(Answer.parse(parseLine(line)));
  });
  return answers;
}

async function untilAnswered(socket: Socket): Promise<Answer[]> {
  const answers = answersOf(socket);
  await until(() => answers.length > 0, { what: 'the challenge' });
  socket.removeAllListeners('data');
  return answers;
}

/** Sends this and reads until the agent has had enough, or hangs up by itself when it sent nothing. */
function throwGarbage(path: string, garbage: string | Buffer): Promise<void> {
  return new Promise((over) => {
    const socket = connect(path, () => (garbage === '' ? socket.destroy() : socket.write(garbage)));
    socket.on('error', () => undefined);
    socket.on('close', () => over());
    socket.resume();
  });
}

async function first(path: string, ask: { kind: 'status' } | { kind: 'actions' } = STATUS) {
  const { answers } = await askAgent([path], ask);
  for await (const answer of answers) return answer;
  throw new Error('the agent said nothing');
}
