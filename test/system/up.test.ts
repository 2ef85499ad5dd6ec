import assert from 'node:assert/strict';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { listen } from '../../runtime/listen.js';
import { findProcesses } from '../faults/rig/proc.js';
import { freePort } from '../support/free-port.js';
import { writeHook } from '../support/hooks.js';
import { endOf, runMuster, spawnMuster } from '../support/muster.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';
import { interrupt, startUp, startUpWith } from '../support/up.js';

const Invocations = z.object({ items: z.array(z.object({ status: z.string() })) });

test('muster up shows a first action, stops at Ctrl-C with 0 and starts again on the same state', async (t) => {
  const dataDir = temporaryDirectory(t);
  const first = await startUp(t, dataDir);

  assert.match(first.stdout(), /"node_id":/);
  assert.match(first.stdout(), /: success/);
  assert.match(
    first.stdout(),
    /^Dashboard: +http:\/\/127\.0\.0\.1:\d+\/ {2}\(npx muster dashboard opens it signed in\)$/m,
  );
  assert.equal(statSync(join(dataDir, 'cli.json')).mode & 0o777, 0o600);
  assert.equal((await interrupt(first)).exitCode, 0);

  const second = await startUp(t, dataDir);
  assert.equal(second.node, first.node);
  assert.equal(second.token, first.token);
  const { items } = Invocations.parse(await second.json('invocations'));
  assert.deepEqual(
    items.map(({ status }) => status),
    ['completed', 'completed'],
  );
  assert.equal((await interrupt(second)).exitCode, 0);
});

test('Ctrl-C while muster up starts ends it with 0, and leaves no part behind', async (t) => {
  const dataDir = temporaryDirectory(t);
  const child = spawnMuster(t, ['up', '--data', dataDir, '--http-port=0', '--mqtt-port=0']);
  const ended = endOf(child);
  await until(() => existsSync(join(dataDir, 'controller')), { what: 'a part starts', deadlineMs: 60_000 });

  child.kill('SIGINT');

  const { exitCode, stderr } = await ended;
  assert.equal(exitCode, 0, stderr);
  await until(() => findProcesses(dataDir).length === 0, { what: 'no process is left' });
});

test('a second muster up on the same directory is refused with 69', async (t) => {
  const up = await startUp(t, temporaryDirectory(t));

  const { exitCode, stderr } = await runMuster(t, ['up', '--data', up.dataDir, '--http-port=0', '--mqtt-port=0']);

  assert.equal(exitCode, 69);
  assert.match(stderr, /already uses \S+ \[already_running\]/);
  assert.equal((await up.muster('nodes')).exitCode, 0);
});

test('a busy port is told in a sentence and ends with 69', async (t) => {
  const taken = createServer();
  const port = await listen(taken, { host: '127.0.0.1', port: 0, what: 'test' });
  t.after(() => taken.close());

  for (const flag of ['--http-port', '--mqtt-port']) {
    const other = flag === '--http-port' ? '--mqtt-port=0' : '--http-port=0';
    const { exitCode, stderr } = await runMuster(t, ['up', '--data', temporaryDirectory(t), `${flag}=${port}`, other]);
    assert.equal(exitCode, 69, stderr);
    assert.match(stderr, new RegExp(`port ${port} .*is taken.*\\[port_in_use\\]`));
  }
});

test('muster up takes ports, hooks and settings of its parts from the environment, and says which variables count for nothing', async (t) => {
  const [port, outside] = [await freePort(), temporaryDirectory(t)];
  const hooks = join(outside, 'hooks');
  mkdirSync(hooks, { mode: 0o755 });
  writeHook(hooks, 'from-outside', '#!/bin/sh\n');
  writeFileSync(join(outside, 'mqtt-port'), '0\n');
  const env = {
    ...{ MUSTER_CONTROLLER_PORT: String(port), MUSTER_BROKER_PORT_FILE: join(outside, 'mqtt-port') },
    ...{ MUSTER_AGENT_HOOKS_DIR: hooks, MUSTER_AGENT_DRAIN_TIMEOUT: '1s', MUSTER_AGENT_NODE_ID: 'from-environment' },
    MUSTER_AGENT_BROKER_URL: 'mqtt://127.0.0.1:1',
  };

  const up = await startUpWith(t, { dataDir: temporaryDirectory(t), ports: [], env });

  assert.deepEqual([new URL(up.url).port, up.node], [String(port), 'from-environment']);
  assert.doesNotMatch(up.mqttUrl, /:(0|1|1883)$/);
  assert.match((await up.muster('hooks')).stdout, /from-outside/);
  const { exitCode, stderr } = await interrupt(up);
  assert.equal(exitCode, 0);
  assert.deepEqual(stderr.match(/^\w+ is not used/gm), ['MUSTER_AGENT_BROKER_URL is not used']);
});

test('a port of the environment that is none ends muster up with 78, one of a flag with 2', async (t) => {
  const start = (env: Record<string, string>, ...flags: string[]) =>
    runMuster(t, ['up', '--data', temporaryDirectory(t), '--mqtt-port=0', ...flags], env);

  for (const port of ['', '65536', '8080x', '-1']) {
    const { exitCode, stderr } = await start({ MUSTER_CONTROLLER_PORT: port });
    assert.equal(exitCode, 78, stderr);
    assert.match(stderr, /MUSTER_CONTROLLER_PORT must be a port/);
  }
  assert.equal((await start({ MUSTER_CONTROLLER_PORT: '1' }, '--http-port=x')).exitCode, 2);
});

test('a directory that cannot be used is told in a sentence and ends with 78', async (t) => {
  const file = join(temporaryDirectory(t), 'file');
  writeFileSync(file, '');

  for (const dataDir of [file, join(file, 'below'), '/proc/muster']) {
    const { exitCode, stderr } = await runMuster(t, ['up', '--data', dataDir]);
    assert.equal(exitCode, 78, stderr);
    assert.match(stderr, /cannot be used: .*\[data_dir_unusable\]/);
  }
});

test('no part outlives a muster up that was killed', async (t) => {
  const up = await startUp(t, temporaryDirectory(t));

  up.child.kill('SIGKILL');
  await up.ended;

  const isGone = async (): Promise<boolean> => (await fetch(`${up.url}/healthz`).catch(() => undefined)) === undefined;
  await until(isGone, { what: 'the controller ends', deadlineMs: 30_000 });
  const again = await startUp(t, up.dataDir);
  assert.equal(again.node, up.node);
});
