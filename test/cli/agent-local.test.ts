import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startTestBroker } from '../support/broker.js';
import { startControlledAgent } from '../support/controlled-agent.js';
import { runMuster } from '../support/muster.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

test('muster agent with a further word asks the agent that runs, wherever the options stand', async (t) => {
  const broker = await startTestBroker(t);
  await broker.stop();
  const data = temporaryDirectory(t);
  mkdirSync(join(data, 'agent'));
  await startControlledAgent(t, broker, join(data, 'agent'));

  const [after, before, named, actions, run, refused] = await Promise.all([
    runMuster(t, ['agent', 'status', '--data', data, '--json']),
    runMuster(t, ['agent', '--data', data, 'status', '--json']),
    runMuster(t, ['agent', 'status', '--socket', join(data, 'agent', 'agent.sock'), '--json']),
    runMuster(t, ['agent', 'actions'], { MUSTER_DATA: data }),
    runMuster(t, ['agent', 'run', 'gather_info', '--reason', 'look'], { MUSTER_AGENT_DATA_DIR: join(data, 'agent') }),
    runMuster(t, ['agent', 'run', 'ping', 'target'], { MUSTER_DATA: data }),
  ]);

  for (const { exitCode, stdout, stderr } of [after, before, named]) {
    assert.equal(exitCode, 0, stderr);
    assert.equal(JSON.parse(stdout).node, 'pump');
  }
  assert.match(actions.stdout, /\ngather_info +builtin +read +-/);
  assert.deepEqual([run.exitCode, JSON.parse(run.stdout).node_id], [0, 'pump']);
  assert.match(run.stderr, /^pump: success, exit code 0, /);
  assert.deepEqual([refused.exitCode, refused.stdout], [2, '']);
});

test('without an agent the words end with 69, and never start one', async (t) => {
  const { exitCode, stdout, stderr } = await runMuster(t, ['agent', 'status', '--data', temporaryDirectory(t)]);

  assert.deepEqual([exitCode, stdout], [69, '']);
  assert.match(stderr, /No agent answers on .*agent\.sock \[agent_not_found\]/);
});
