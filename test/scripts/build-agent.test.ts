import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { VERSION } from '../../runtime/version.js';
import { startTestBroker, type TestScope } from '../support/broker.js';
import { type CommandEnd, runCommand } from '../support/commands.js';
import { enrollByHand, keyOfAgent, scriptController } from '../support/controlled-agent.js';
import { HARMLESS_ENV } from '../support/harmless.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const SCRIPT = fileURLToPath(new URL('../../scripts/build-agent.js', import.meta.url));
/** Far from node_modules, as on a device. */
const PLACE = join(tmpdir(), `muster-bundle-${process.pid}`);
const BUNDLE = join(PLACE, 'muster-agent.cjs');

before(async () => {
  mkdirSync(PLACE);
  const { exitCode, stdout } = await runCommand(process.execPath, [SCRIPT, BUNDLE]);
  assert.equal(exitCode, 0);
  assert.match(stdout, /muster-agent\.cjs\n\d+ KiB, compressed \d+ KiB/);
});
after(() => rmSync(PLACE, { recursive: true, force: true }));

function agent(...args: string[]): Promise<CommandEnd> {
  return runCommand(process.execPath, [BUNDLE, ...args], PLACE);
}

/** Runs the agent until the test ends. */
function startAgent(t: TestScope, directory: string, ...args: string[]): void {
  const child = spawn(
    process.execPath,
    [BUNDLE, '--data-dir', directory, '--metrics-port=-1', '--log-level=silent', ...args],
    { cwd: PLACE, stdio: 'ignore', env: { ...HARMLESS_ENV } },
  );
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
}

test('the agent is one file: beside it only its source map is made', () => {
  assert.deepEqual(readdirSync(PLACE).sort(), ['muster-agent.cjs', 'muster-agent.cjs.map']);
});

test('--version and --help answer on stdout, with every setting explained', async () => {
  assert.deepEqual(await agent('--version'), { exitCode: 0, stdout: `${VERSION}\n`, stderr: '' });

  const { exitCode, stdout, stderr } = await agent('--help');

  assert.deepEqual({ exitCode, stderr }, { exitCode: 0, stderr: '' });
  assert.match(stdout, /--max-concurrent VALUE +Actions that run at the same time/);
  assert.doesNotMatch(stdout, /VALUE +$/m, 'a setting without a description');
});

test('wrong flags end with 2 and a sentence, without a stack', async () => {
  for (const args of [['--colour=red'], ['--enroll'], ['--help', 'me']]) {
    const { exitCode, stdout, stderr } = await agent(...args);

    assert.deepEqual({ exitCode, stdout }, { exitCode: 2, stdout: '' }, args.join(' '));
    assert.match(stderr, /^muster: .+ \[usage\]\n {2}What to do: .+\n$/);
  }
});

test('a YAML file is read though the parser waits inside the bundle', async () => {
  writeFileSync(join(PLACE, 'muster.yaml'), 'agent:\n  max_concurrent: 0\n');

  const { exitCode, stderr } = await agent('--config', 'muster.yaml');

  assert.equal(exitCode, 78);
  assert.match(stderr, /MaxConcurrent must be at least 1/);
});

test('it talks MQTT, and runs what it is asked', async (t) => {
  const { directory, controller } = await enrolled(t);
  startAgent(t, directory);
  await controller.hear('hello');

  await controller.send('node_request', controller.request());

  assert.equal((await controller.hear('result')).status, 'success');
});

test('it talks over WebSockets though they wait inside the bundle', async (t) => {
  const { broker, directory, controller } = await enrolled(t);
  startAgent(t, directory, `--broker-url=ws://127.0.0.1:${broker.wsPort}`);

  assert.equal((await controller.hear('hello')).node, 'pump');
});

test('it begins TLS with a broker of mqtts://', async (t) => {
  const { directory } = await enrolled(t);
  const server = createServer();
  server.listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const connected = once(server, 'connection', { signal: AbortSignal.timeout(20_000) });

  startAgent(t, directory, `--broker-url=mqtts://127.0.0.1:${address.port}`);

  const [socket]: Socket[] = await connected;
  assert.ok(socket);
  t.after(() => socket.destroy());
  const [bytes]: Buffer[] = await once(socket, 'data', { signal: AbortSignal.timeout(20_000) });
  const TLS_HANDSHAKE = 0x16; // RFC 8446 5.1
  assert.equal(bytes?.[0], TLS_HANDSHAKE);
});

async function enrolled(t: TestScope) {
  const broker = await startTestBroker(t, { config: { ws_port: 0 } });
  const directory = temporaryDirectory(t);
  enrollByHand(broker, directory);
  const controller = await scriptController(t, broker, () => keyOfAgent(directory));
  return { broker, directory, controller };
}
