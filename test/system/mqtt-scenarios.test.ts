import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Client } from '../../cli/client.js';
import { ActionView, type ExecutionView, InvocationAnswer, NodeView, pageOf } from '../../controller/http/schemas.js';
import { seededRandom } from '../faults/random.js';
import { UNHARMED } from '../faults/tools/fates.js';
import { startFaultProxy } from '../faults/tools/fault-proxy.js';
import type { TestScope } from '../support/broker.js';
import { writeHook } from '../support/hooks.js';
import { startInstallation, type TestInstallation } from '../support/installation.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;
const KEEP_ALIVE_SECONDS = 5;
/** Nobody listens there. */
const DISCARD_PORT = 9;
const Actions = pageOf(ActionView);

test('S-M-1: a request that comes three times while it runs is run once, and is not rejected', async (t) => {
  const directory = temporaryDirectory(t);
  const ledger = join(directory, 'ledger');
  const { client, proxy } = await startBehindProxy(t, directory, `#!/bin/sh\necho started >> ${ledger}\nsleep 1\n`);
  proxy.decideBy(({ topic }) => (topic.endsWith('/request') ? { ...UNHARMED, deliverAfterMs: [0, 0, 300] } : UNHARMED));

  const execution = await run(client);

  assert.deepEqual([execution.status, execution.reason], ['success', null]);
  assert.equal(readFileSync(ledger, 'utf8'), 'started\n');
  assert.ok(proxy.counts().repeated > 0);
});

test('S-M-9: what ended while the broker was away arrives once it is back, and counts once', async (t) => {
  const directory = temporaryDirectory(t);
  const ledger = join(directory, 'ledger');
  const release = join(directory, 'release');
  const ended = join(directory, 'ended');
  const wait = `while [ ! -e ${release} ]; do sleep 0.02; done`;
  const script = `#!/bin/sh\necho started >> ${ledger}\n${wait}\necho done\n: > ${ended}\n`;
  const { client, broker } = await startWithHook(t, directory, script);
  const id = await ask(client);
  await until(() => existsSync(ledger), { what: 'the hook runs' });

  await broker.stop();
  writeFileSync(release, '');
  await until(() => existsSync(ended), { what: 'the hook has ended' });
  await broker.start();

  const execution = await outcomeOf(client, id);
  assert.deepEqual([execution.status, execution.stdout], ['success', 'done\n']);
  assert.equal(readFileSync(ledger, 'utf8'), 'started\n');
  // And work flows again (promise 11).
  assert.equal((await run(client)).status, 'success');
});

test('promise 12: both ends give up a link on which nothing passes, and work flows once there is another', async (t) => {
  const directory = temporaryDirectory(t);
  const { client, proxy, metricsPorts, link } = await startBehindProxy(t, directory, '#!/bin/sh\necho done\n');
  const isOffline = async (): Promise<boolean> =>
    (await client.call(NodeView, { path: '/nodes/node-1' })).state === 'offline';
  const isAlone = async (): Promise<boolean> =>
    (await fetch(`http://127.0.0.1:${metricsPorts.agent}/readyz`)).status === 503;

  link.isCut = true;
  proxy.freezeAll();
  const deadlineMs = (1.5 * KEEP_ALIVE_SECONDS + 5) * 1000;
  await Promise.all([
    until(isOffline, { what: 'the controller knows that the node is away', deadlineMs }),
    until(isAlone, { what: 'the agent knows that it is alone', deadlineMs }),
  ]);
  link.isCut = false;

  assert.equal((await run(client)).status, 'success');
});

test('S-M-14: 1 MiB on stdout and 1 MiB on stderr come through whole, byte by byte', async (t) => {
  const directory = temporaryDirectory(t);
  const bytes = Buffer.from(Array.from({ length: MIB }, (_, at) => (at * 7 + (at >> 8)) % 251));
  const file = join(directory, 'bytes');
  writeFileSync(file, bytes);
  const { client } = await startWithHook(t, directory, `#!/bin/sh\ncat ${file}\ncat ${file} >&2\n`);

  const execution = await run(client);

  for (const stream of ['stdout', 'stderr'] as const) {
    assert.deepEqual([execution[`${stream}_bytes`], execution[`${stream}_truncated`]], [MIB, false]);
    const path = `/invocations/${execution.invocation_id}/executions/node-1/output`;
    const whole = async () => {
      const got = await client.bytes({ path, query: { stream } });
      return got.length === MIB ? got : undefined;
    };
    assert.ok((await until(whole, { what: `all of ${stream}` })).equals(bytes), stream);
  }
});

/** An installation whose one node offers the hook `work`. */
async function startWithHook(
  t: TestScope,
  directory: string,
  script: string,
  settings: (brokerPort: number) => Promise<Readonly<Record<string, unknown>>> = async () => ({}),
): Promise<TestInstallation> {
  writeHook(directory, 'work', script);
  const installation = await startInstallation(t, {
    agent: async (brokerPort) => ({ hooks_dir: directory, ...(await settings(brokerPort)) }),
  });
  const offered = async (): Promise<boolean> =>
    (await installation.client.call(Actions, { path: '/actions' })).items.some(({ name }) => name === 'work');
  await until(offered, { what: 'the hook is announced' });
  return installation;
}

/** The same, with a proxy between the node and its broker; while the link is cut, it connects to nothing. */
async function startBehindProxy(t: TestScope, directory: string, script: string) {
  const link = { brokerPort: 0, isCut: false };
  const proxy = await startFaultProxy({
    brokerPort: () => (link.isCut ? DISCARD_PORT : link.brokerPort),
    decide: () => UNHARMED,
    random: seededRandom('1'),
  });
  t.after(proxy.stop);
  const installation = await startWithHook(t, directory, script, async (brokerPort) => {
    link.brokerPort = brokerPort;
    return { broker_url: proxy.url, keep_alive: KEEP_ALIVE_SECONDS };
  });
  return { ...installation, proxy, link };
}

async function ask(client: Client): Promise<string> {
  const body = { action: 'work', target: { nodes: ['node-1'] }, confirm: true };
  return (await client.call(InvocationAnswer, { method: 'POST', path: '/invocations', body })).invocation.id;
}

async function outcomeOf(client: Client, id: string): Promise<ExecutionView> {
  const { executions } = await client.call(InvocationAnswer, { path: `/invocations/${id}`, waitSeconds: 30 });
  const [execution] = executions ?? [];
  assert.ok(execution !== undefined);
  return execution;
}

async function run(client: Client): Promise<ExecutionView> {
  return outcomeOf(client, await ask(client));
}
