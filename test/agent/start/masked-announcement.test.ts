import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Capabilities } from '../../../protocol/messages/capabilities.js';
import { startTestBroker } from '../../support/broker.js';
import { keyOfAgent, scriptController, startControlledAgent } from '../../support/controlled-agent.js';
import { writeHook } from '../../support/hooks.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const VALUE = 's3cr3t-hook-name';

test('promise 22: a hook that a value of agent.secrets_file names is not announced, and the others are', async (t) => {
  const broker = await startTestBroker(t);
  const directory = temporaryDirectory(t);
  const [hooks, secrets] = [join(directory, 'hooks'), join(directory, 'secrets')];
  mkdirSync(hooks, { mode: 0o755 });
  writeFileSync(secrets, `one: ${VALUE}\n`, { mode: 0o600 });
  for (const name of [VALUE, 'deploy']) writeHook(hooks, name, '#!/bin/sh\n');
  const controller = await scriptController(t, broker, () => keyOfAgent(directory));
  controller.welcomeWith({ announce: true });

  const settings = { hooks_dir: hooks, secrets_file: secrets };
  await (await startControlledAgent(t, broker, directory, { settings })).whenWelcomed;

  const announced = Capabilities.parse(await controller.hear('capabilities'));
  assert.deepEqual(
    announced.hooks.map(({ name }) => name),
    ['deploy'],
  );
  assert.equal(announced.limits.hooks_left_out, 1);
});
