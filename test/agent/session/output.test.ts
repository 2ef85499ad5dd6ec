import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { sha256Hex } from '../../../protocol/envelope.js';
import { Output } from '../../../protocol/messages/output.js';
import { ReplyError } from '../../../protocol/messages/reply.js';
import { startTestBroker } from '../../support/broker.js';
import { keyOfAgent, scriptController, startControlledAgent } from '../../support/controlled-agent.js';
import { writeHook } from '../../support/hooks.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const LIMIT_BYTES = 16 * 1024;

test('promise 14: output comes whole through a broker that takes packets of 16 KiB', async (t) => {
  const broker = await startTestBroker(t, { config: { max_packet_bytes: LIMIT_BYTES } });
  const [directory, hooks] = [temporaryDirectory(t), temporaryDirectory(t)];
  const { checksum } = writeHook(hooks, 'noise', '#!/bin/sh\nhead -c 100000 /dev/urandom\n');
  const controller = await scriptController(t, broker, () => keyOfAgent(directory));
  const settings = { hooks_dir: hooks, max_packet_bytes: LIMIT_BYTES };
  const agent = await startControlledAgent(t, broker, directory, { settings });
  await agent.whenWelcomed;

  await controller.send('node_request', controller.request({ action: 'noise', checksum }));
  const { chunks, stdout_sha256 } = await controller.hear('result');
  await until(() => controller.heard('output').length === chunks, { what: 'all pieces' });

  const pieces = controller.heard('output').map((payload) => Output.parse(payload));
  const joined = pieces.filter(({ stream }) => stream === 'stdout').map(({ data }) => Buffer.from(data, 'base64'));
  assert.equal(sha256Hex(Buffer.concat(joined)), stdout_sha256);
});

test('promise 14: output that the disk has altered is never sent; an ask for it is answered output_lost', async (t) => {
  const broker = await startTestBroker(t);
  const [directory, hooks] = [temporaryDirectory(t), temporaryDirectory(t)];
  const { checksum } = writeHook(hooks, 'noise', '#!/bin/sh\nhead -c 200000 /dev/zero | tr "\\0" x\n');
  const controller = await scriptController(t, broker, () => keyOfAgent(directory));
  const agent = await startControlledAgent(t, broker, directory, { settings: { hooks_dir: hooks } });
  await agent.whenWelcomed;
  const request = controller.request({ action: 'noise', checksum });
  await controller.send('node_request', request);
  const { chunks } = await controller.hear('result');
  await until(() => controller.heard('output').length === chunks, { what: 'all pieces' });
  const file = join(directory, 'output', request.execution_id);
  const bytes = readFileSync(file);
  writeFileSync(file, bytes.fill('y', bytes.indexOf('xxxx'), bytes.indexOf('xxxx') + 4));

  const ask = controller.control('resend', { execution_id: request.execution_id, from_seq: 0 });
  await controller.send('control', ask);

  const reply = await controller.hear('reply');
  const { code } = ReplyError.parse(reply.error);
  assert.deepEqual([reply.control_id, reply.ok, code], [ask.control_id, false, 'output_lost']);
  assert.equal(controller.heard('output').length, chunks);
});
