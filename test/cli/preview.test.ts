import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCommandLine } from '../../cli/program.js';
import { InvocationPreview } from '../../controller/http/schemas.js';
import { startTestController, type TestController } from '../support/muster.js';

const PRIME = { name: 'prime', description: '', parameters: [] };
const PUMP = ['run', 'prime', '--node', 'pump-1'];

test('muster run --dry-run shows what the ask would come to, and asks for nothing', async (t) => {
  const controller = await startTestController(t);
  const agent = await controller.startAgent('pump-1', { actions: [PRIME], runs: true });

  const shown = await controller.muster(...PUMP, '--dry-run');
  const asJson = await controller.muster(...PUMP, '--dry-run', '--json');

  assert.deepEqual([shown.exitCode, shown.stderr], [0, '']);
  assert.match(shown.stdout, /^action: {6}prime\ntarget: {6}nodes pump-1: 1 node\nnodes: {7}pump-1\nrisk: {8}write\n/);
  assert.match(shown.stdout, /^policy: {6}runs at once$/m);
  const { digest, counts } = InvocationPreview.parse(JSON.parse(asJson.stdout));
  assert.ok(shown.stdout.includes(`digest:      ${digest}`));
  assert.equal(counts.online, 1);
  assert.equal(agent.offers.length, 0);
});

test('a dry run of what the policy denies ends with 77 and says why', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('pump-1', { actions: [{ ...PRIME, risk: 'danger' }] });

  const { exitCode, stdout } = await controller.muster(...PUMP, '--dry-run');

  assert.equal(exitCode, 77);
  assert.match(stdout, /^policy: {6}denied: .*danger/m);
});

test('at a terminal what changes something is shown and asked about, and runs only after yes', async (t) => {
  const controller = await startTestController(t);
  const agent = await controller.startAgent('pump-1', { actions: [PRIME], runs: true });

  for (const answer of ['', 'n', 'yess']) {
    const refused = await typeAt(controller, answer, PUMP);
    assert.deepEqual([refused.exitCode, refused.prompts.length], [1, 1]);
    assert.match(refused.stderr, /Nothing was asked/);
  }
  assert.equal(agent.offers.length, 0);
  const agreed = await typeAt(controller, 'y', PUMP);

  assert.equal(agreed.exitCode, 0);
  assert.deepEqual(agreed.prompts, ['It changes something on 1 node. Run it? [y/N] ']);
  assert.match(agreed.stderr, /^action: {6}prime$/m);
  assert.equal(agent.offers.length, 1);
});

test('nobody is asked about what only reads, nor when --yes is there', async (t) => {
  const controller = await startTestController(t);
  const ping = { ...PRIME, name: 'ping' };
  await controller.startAgent('pump-1', { actions: [PRIME, ping], runs: true });

  const read = await typeAt(controller, 'n', ['run', 'ping', '--node', 'pump-1']);
  const sure = await typeAt(controller, 'n', [...PUMP, '--yes']);

  assert.deepEqual([read.exitCode, read.prompts], [0, []]);
  assert.deepEqual([sure.exitCode, sure.prompts], [0, []]);
});

test('C-11: without a terminal what an owner asks for and changes something is refused with 77 unless --yes is there', async (t) => {
  const controller = await startTestController(t);
  const ping = { ...PRIME, name: 'ping' };
  const agent = await controller.startAgent('pump-1', { actions: [PRIME, ping], runs: true });

  for (const words of [PUMP, [...PUMP, '--json', '--detach']]) {
    const { exitCode, stdout, stderr } = await controller.muster(...words);
    assert.deepEqual([exitCode, stdout], [77, ''], stderr);
    assert.match(stderr, /^muster: It changes something on 1 node, .*: add --yes \[confirmation_required\]$/m);
  }
  assert.equal(agent.offers.length, 0);
  assert.deepEqual(await controller.core.store.read.selectFrom('invocations').selectAll().execute(), []);
  assert.equal((await controller.muster('run', 'ping', '--node', 'pump-1')).exitCode, 0);
  assert.equal((await controller.muster(...PUMP, '--yes')).exitCode, 0);
});

test('what changes between the question and the answer is not run', async (t) => {
  const controller = await startTestController(t);
  const agent = await controller.startAgent('pump-1', { actions: [PRIME], runs: true });

  const late = await typeAt(controller, 'y', ['run', 'prime', '--all'], async () => {
    await controller.startAgent('pump-2', { actions: [PRIME], runs: true });
  });

  assert.equal(late.exitCode, 1);
  assert.equal(agent.offers.length, 0);
});

/** Runs a command as a person at a terminal who gives this answer to each question, after `meanwhile`. */
async function typeAt(
  { dataDir }: TestController,
  answer: string,
  args: readonly string[],
  meanwhile: () => Promise<void> = async () => undefined,
): Promise<{ exitCode: number; stderr: string; prompts: string[] }> {
  const prompts: string[] = [];
  let stderr = '';
  const exitCode = await runCommandLine(args, {
    env: { MUSTER_DATA: dataDir },
    stdout: { write: () => undefined },
    stderr: {
      write: (text) => {
        stderr += text;
      },
    },
    isInteractive: true,
    readLine: async (prompt) => {
      prompts.push(prompt);
      await meanwhile();
      return answer;
    },
    readSecret: async () => '',
    onInterrupt: () => () => undefined,
  });
  return { exitCode, stderr, prompts };
}
