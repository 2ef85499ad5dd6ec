import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startTestBroker } from '../../support/broker.js';
import { keyOfAgent, scriptController, startControlledAgent } from '../../support/controlled-agent.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

/** More than are checked on other threads at once, and all of them within the bounds. */
const REQUESTS = 100;

test('promise 15: while the disk holds every thread of the pool a flood of requests keeps no control waiting', async (t) => {
  const directory = temporaryDirectory(t);
  const broker = await startTestBroker(t);
  const controller = await scriptController(t, broker, () => keyOfAgent(directory));
  const agent = await startControlledAgent(t, broker, directory, { settings: { max_concurrent: REQUESTS } });
  await agent.whenWelcomed;
  const requests = Array.from({ length: REQUESTS }, () => controller.request());

  const release = stallPool(directory);
  try {
    for (const request of requests) await controller.send('node_request', request);
    const hellos = controller.heard('hello').length;
    await controller.send('control', controller.control('announce', { capabilities: false }));

    await until(() => controller.heard('hello').length > hellos, { what: 'the hello that was asked for' });
    assert.equal(controller.heard('ack').length, 0);
  } finally {
    await release();
  }
  await until(() => controller.heard('ack').length === REQUESTS, { what: 'an ack of each request' });
  assert.deepEqual(
    new Set(controller.heard('ack').map(({ execution_id }) => execution_id)),
    new Set(requests.map(({ execution_id }) => execution_id)),
  );
});

/** Lets each thread of the pool wait for a file, as a disk that hangs does, until the function that it gives is called. */
function stallPool(directory: string): () => Promise<void> {
  const threads = Number(process.env.UV_THREADPOOL_SIZE ?? 4);
  const files = Array.from({ length: threads }, (_, at) => join(directory, `fifo-${at}`));
  assert.equal(spawnSync('mkfifo', files).status, 0);
  const readers = files.map((file) => open(file, 'r')); // not there before somebody writes
  return async () => {
    const writers = files.map((file) => openSync(file, 'r+'));
    for (const reader of readers) await (await reader).close();
    for (const writer of writers) closeSync(writer);
  };
}
