import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { runLocalCommand } from '../../agent/local/commands.js';
import { LocalStatus } from '../../agent/local/messages.js';
import { ExecutionView, InvocationView } from '../../controller/http/schemas.js';
import { writeHook } from '../support/hooks.js';
import { startInstallation } from '../support/installation.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const LINES = Array.from({ length: 60_000 }, (_, index) => `${index + 1}\n`).join('');

test('what was run on a node without network reaches the controller when there is one, whole, once and marked', async (t) => {
  const hooksDir = temporaryDirectory(t);
  const { checksum } = writeHook(hooksDir, 'count', '#!/bin/sh\nseq 1 60000\necho done >&2\nexit 4\n');
  const socket = join(temporaryDirectory(t), 'agent.sock');
  const settings = { hooks_dir: hooksDir, local_socket: socket };
  const { client, broker } = await startInstallation(t, { agent: settings });

  await broker.stop();
  const ends = [
    await ask(socket, { kind: 'run', action: 'gather_info', parameters: {}, stream: false, reason: 'ticket 4711' }),
    await ask(socket, { kind: 'run', action: 'count', parameters: { word: 'x y' }, stream: true }),
  ];
  assert.deepEqual(
    ends.map(({ exitCode }) => exitCode),
    [0, 1],
  );
  assert.equal(ends[1]?.stdout, LINES);
  await broker.start();

  const reported = async () => (await statusOf(socket)).local.every(({ receipted }) => receipted);
  await until(reported, { what: 'the receipts', deadlineMs: 60_000 });
  const invocations = await client.list(InvocationView, { path: '/invocations', limit: 10 });
  const [counted, gathered, ...others] = invocations.sort((a, b) => (a.action < b.action ? -1 : 1));
  assert.deepEqual(
    [counted, gathered].map((each) => [each?.action, each?.status, each?.origin, each?.created_by, each?.reason]),
    [
      ['count', 'failed', 'local', 'local:node-1/root', null],
      ['gather_info', 'completed', 'local', 'local:node-1/root', 'ticket 4711'],
    ],
  );
  assert.deepEqual(counted?.parameters, { word: 'x y' });
  assert.equal(others.length, 0);
  const path = `/invocations/${counted?.id}/executions/node-1`;
  const execution = await client.call(ExecutionView, { path });
  assert.deepEqual([execution.exit_code, execution.stderr, execution.stdout_bytes], [4, 'done\n', LINES.length]);
  assert.equal((await client.bytes({ path: `${path}/output` })).toString(), LINES);
  assert.equal(checksum.length, 64);
});

async function statusOf(socket: string): Promise<LocalStatus> {
  const { stdout } = await ask(socket, { kind: 'status' }, true);
  return LocalStatus.parse(JSON.parse(stdout));
}

async function ask(socket: string, command: Parameters<typeof runLocalCommand>[0], isJson = false) {
  const texts = { stdout: '', stderr: '' };
  const into = (name: keyof typeof texts) => ({
    write(text: string) {
      texts[name] += text;
    },
  });
  const io = { stdout: into('stdout'), stderr: into('stderr'), onInterrupt: () => () => undefined };
  const exitCode = await runLocalCommand(command, { sockets: [socket], isJson, io });
  return { exitCode, ...texts };
}
