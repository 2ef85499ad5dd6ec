import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { listen } from '../../../runtime/listen.js';
import { runCommand } from '../../support/commands.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';
import { networkLacks, startNetwork } from './network.js';

/** Says what the peer answers to one line, and ends. */
const TALK = `
  const [host, port, timeout] = process.argv.slice(1);
  const socket = require('node:net').connect({ host, port, timeout: Number(timeout) });
  socket.on('timeout', () => socket.destroy(new Error('no answer')));
  socket.write('line');
  socket.on('data', (answer) => socket.end(() => process.stdout.write(answer)));
`;

test('a program on the node side reaches what is exposed and nothing else, also over a lossy and a slow link', async (t) => {
  const directory = temporaryDirectory(t);
  const lacks = await networkLacks();
  if (lacks !== undefined) return t.skip(lacks);
  const server = createServer((socket) => {
    socket.on('data', (bytes) => socket.write(`answer to ${bytes.toString()}`));
  });
  const port = await listen(server, { host: '127.0.0.1', port: 0, what: 'echo' });
  t.after(() => server.close());
  const network = await startNetwork();
  t.after(network.stop);
  const { host, port: exposed } = await network.expose(port, directory);
  const [enter = '', ...args] = network.enter;
  const talk = (to: string, at: number, timeoutMs = 20_000) =>
    runCommand(enter, [...args, process.execPath, '-e', TALK, to, String(at), String(timeoutMs)]).then(
      ({ stdout }) => stdout,
    );
  /** Of a few connections one is lucky, where a single one may lose each of its first packets, and waits longer after each. */
  const getThrough = () =>
    until(async () => (await talk(host, exposed, 4_000)) === 'answer to line', {
      what: 'an answer came through',
      deadlineMs: 60_000,
    });

  assert.equal(await talk(host, exposed), 'answer to line');
  assert.equal(await talk('127.0.0.1', port), '');
  await network.lose(30);
  await getThrough();
  await network.slow(64);
  await getThrough();
  await network.lose(100);
  const { exitCode } = await runCommand(enter, [...args, 'ping', '-c1', '-W1', host]);
  assert.notEqual(exitCode, 0);
  await network.heal();
  assert.equal(await talk(host, exposed), 'answer to line');
});

test('namespaces vanish when the process that made them is killed', async (t) => {
  const lacks = await networkLacks();
  if (lacks !== undefined) return t.skip(lacks);
  const code = `
    import { startNetwork } from './network.ts';
    const { enter } = await startNetwork();
    process.stdout.write(enter[1].slice('--net='.length));
    setInterval(() => undefined, 1000);
  `;
  const maker = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => maker.kill('SIGKILL'));
  const [said]: unknown[] = await once(maker.stdout, 'data', { signal: AbortSignal.timeout(30_000) });
  const file = String(said);
  const namespace = readlinkSync(file);

  maker.kill('SIGKILL');

  await until(() => !isNamespace(file, namespace), { what: 'the namespace is gone' });
});

function isNamespace(file: string, namespace: string): boolean {
  try {
    return readlinkSync(file) === namespace;
  } catch {
    return false;
  }
}
