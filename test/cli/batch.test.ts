import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestController } from '../support/muster.js';
import type { ScriptedAgent } from '../support/scripted-agent.js';

const BATCHES = ['--batch', '50%', '--max-failed', '1', '--pause', '1ms'];

test('muster run --batch asks part by part, and muster show says how far it has come', async (t) => {
  const controller = await startTestController(t);
  const agents: ScriptedAgent[] = [];
  for (const node of ['a', 'b', 'c']) agents.push(await controller.startAgent(node));
  const [a, b, c] = agents;
  assert.ok(a && b && c);

  const dry = await controller.muster('run', 'ping', '--all', ...BATCHES, '--dry-run');
  const running = controller.muster('run', 'ping', '--all', ...BATCHES, '--batch-wait', '1h');
  await a.result(await a.nextOffer());
  await b.result(await b.nextOffer());
  const last = await c.nextOffer();
  const { triggered_by: by } = last.request;
  const shown = await controller.muster('show', by?.invocation_id ?? '');
  await c.result(last);

  assert.match(dry.stdout, /^batches: {5}2$/m);
  assert.match(shown.stdout, /^batches: {4}2 of 2 begun, 1ms apart$/m);
  assert.equal((await running).exitCode, 0);
});

test('a rollout that was stopped ends with 1 and says of each node why', async (t) => {
  const controller = await startTestController(t);
  const a = await controller.startAgent('a');
  await controller.startAgent('b');

  const running = controller.muster('run', 'ping', '--all', '--batch', '1');
  await a.result(await a.nextOffer(), { status: 'failed', exit_code: 1 });
  const { exitCode, stdout } = await running;

  assert.equal(exitCode, 1);
  assert.match(stdout, /^b +cancelled +- +- +batch_stopped$/m);
});
