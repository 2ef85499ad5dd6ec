import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { readConnection, writeConnection } from '../../cli/installation.js';
import type { TestScope } from '../support/broker.js';
import { endOf, runMuster, spawnMuster } from '../support/muster.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const Ready = z.object({ ready: z.looseObject({ port: z.int() }) });

/** What a part announces once it can be used. */
function whenReady(child: ChildProcess): Promise<z.infer<typeof Ready>['ready']> {
  return new Promise((ready, failed) => {
    child.once('message', (message) => ready(Ready.parse(message).ready));
    child.once('exit', (code) => failed(new Error(`it ended with ${code} before it was ready`)));
  });
}

function startController(t: TestScope, args: readonly string[], env = {}): ChildProcess {
  return spawnMuster(t, ['controller', '--port=0', '--broker-url=mqtt://127.0.0.1:1', ...args], env);
}

test('the first start of a controller leaves the owner token, for its user alone, where the commands look', async (t) => {
  const data = temporaryDirectory(t);
  const controller = startController(t, ['--data', data]);
  const ended = endOf(controller);
  const { port } = await whenReady(controller);

  assert.equal(statSync(join(data, 'cli.json')).mode & 0o777, 0o600);
  const { url, token } = readConnection(data);
  assert.equal(url, `http://127.0.0.1:${port}`);
  assert.equal((await runMuster(t, ['nodes', '--data', data])).exitCode, 0);

  controller.kill('SIGTERM');
  const { exitCode, stdout, stderr } = await ended;
  assert.deepEqual([exitCode, stdout], [0, '']);
  assert.ok(!stderr.includes(token), 'the token is in no log');
});

test('a later start keeps the token and tells where the controller is today', async (t) => {
  const data = temporaryDirectory(t);
  const first = startController(t, [], { MUSTER_DATA: data });
  const firstEnded = endOf(first);
  await whenReady(first);
  first.kill('SIGTERM');
  await firstEnded;
  const before = readConnection(data);
  writeConnection(data, { ...before, url: 'http://127.0.0.1:1' });

  const { port } = await whenReady(startController(t, [], { MUSTER_DATA: data }));

  assert.deepEqual(readConnection(data), { url: `http://127.0.0.1:${port}`, token: before.token });
});

test('a second controller on the same directory ends with 69, one on a taken port too', async (t) => {
  const data = temporaryDirectory(t);
  const { port } = await whenReady(startController(t, ['--data', data]));

  const second = await endOf(startController(t, ['--data', data]));
  assert.equal(second.exitCode, 69);
  assert.match(second.stderr, /\[already_running\]/);
  const other = await endOf(startController(t, ['--data', temporaryDirectory(t), `--port=${port}`]));
  assert.equal(other.exitCode, 69);
  assert.match(other.stderr, /\[port_in_use\]/);
});

test('the broker finds the keys beside the controller and stops when it is told to', async (t) => {
  const data = temporaryDirectory(t);
  const missing = await runMuster(t, ['broker', '--data', data, '--port=0', '--metrics-port=0']);
  assert.equal(missing.exitCode, 78);
  await whenReady(startController(t, ['--data', data]));

  const broker = spawnMuster(t, ['broker', '--port=0', '--metrics-port=0'], { MUSTER_DATA: data });
  const ended = endOf(broker);
  assert.ok((await whenReady(broker)).port > 0);
  broker.kill('SIGINT');

  assert.deepEqual((await ended).exitCode, 0);
});

test('an agent enrolls with the short flags, and settings come from file, environment and flags in that order', async (t) => {
  const data = temporaryDirectory(t);
  const controller = startController(t, ['--data', data]);
  await whenReady(controller);
  const { url } = readConnection(data);

  const refused = await runMuster(
    t,
    [
      'agent',
      '--data',
      data,
      '--enroll',
      url,
      '--token',
      `met_unknown0_${'s'.repeat(32)}_${'r'.repeat(43)}`,
      '--node-id',
      'n1',
    ],
    {
      MUSTER_AGENT_METRICS_PORT: '-1',
    },
  );
  assert.equal(refused.exitCode, 77, refused.stderr);
  assert.match(refused.stderr, /\[enrollment_failed\]|\[enrollment_token_invalid\]/);

  const { stdout: token } = await runMuster(t, ['enroll-token', 'create', '--data', data]);
  const agent = spawnMuster(t, ['agent', '--enroll', url, '--token', token.trim(), '--node-id', 'n1'], {
    ...{ MUSTER_DATA: data, MUSTER_AGENT_METRICS_PORT: '-1', MUSTER_AGENT_NODE_ID: 'overruled' },
  });
  const ended = endOf(agent);
  const message = await new Promise((ready) => agent.once('message', ready));
  assert.deepEqual(z.object({ ready: z.looseObject({ node: z.string() }) }).parse(message).ready.node, 'n1');
  assert.match((await runMuster(t, ['nodes', '--data', data])).stdout, /^n1 /m);
  agent.kill('SIGTERM');
  assert.equal((await ended).exitCode, 0);
});
