import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { ActionsAnswer, AskAnswer } from '../../controller/mcp/answers.js';
import type { TestScope } from '../support/broker.js';
import { runMuster, startTestController, type TestController } from '../support/muster.js';
import { makeSandbox } from '../support/sandboxes.js';

const MUSTER = fileURLToPath(new URL('../../bin/muster.js', import.meta.url));
const ACTIONS = ['ping', 'prime'].map((name) => ({ name, description: '', parameters: [] }));

test('muster mcp lets an AI agent look, ask and cancel over standard input and output, and ends with it', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('pump-1', { runs: true, actions: ACTIONS });
  const { client, transport } = await connect(t, controller);
  const call = async (name: string, input: Record<string, unknown>) =>
    (await client.callTool({ name, arguments: input })).structuredContent;

  const { tools } = await client.listTools();
  const { actions } = ActionsAnswer.parse(await call('list_actions', {}));
  const target = { nodes: ['pump-1'] };
  const read = AskAnswer.parse(await call('invoke_action', { action: 'ping', target }));
  const write = AskAnswer.parse(await call('invoke_action', { action: 'prime', target }));
  const again = AskAnswer.parse(await call('get_invocation', { invocation_id: write.invocation_id }));
  const cancelled = AskAnswer.parse(await call('cancel_invocation', { invocation_id: write.invocation_id }));
  const refused = await client.callTool({
    name: 'invoke_action',
    arguments: { action: 'ping', target: { nodes: ['x'] } },
  });

  assert.deepEqual([tools.length, actions.map(({ name }) => name)], [5, ['ping', 'prime']]);
  assert.deepEqual([read.status, read.executions[0]?.stdout], ['completed', 'done\n']);
  assert.deepEqual([write.status, again.status, cancelled.status], ['pending', 'pending', 'cancelled']);
  assert.equal(refused.isError, true);
  assert.match(JSON.stringify(refused.content), /\[unknown_node\]/);
  const { pid } = transport;
  await client.close();
  assert.ok(pid !== null);
  assert.throws(() => process.kill(pid, 0), 'the process has ended');
});

test('muster mcp does not start with the token of who may approve', async (t) => {
  const controller = await startTestController(t);

  const { exitCode, stdout, stderr } = await runMuster(t, ['mcp'], {
    MUSTER_URL: controller.url,
    MUSTER_TOKEN: controller.token,
  });

  assert.deepEqual([exitCode, stdout], [77, '']);
  assert.match(stderr, /MCP is for sandboxes and operators/);
});

async function connect(t: TestScope, controller: TestController) {
  const { token } = await makeSandbox(controller.core, 'ai');
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [MUSTER, 'mcp'],
    env: { PATH: process.env.PATH ?? '', MUSTER_URL: controller.url, MUSTER_TOKEN: token },
  });
  const client = new Client({ name: 'test', version: '1' });
  t.after(() => client.close());
  await client.connect(transport);
  return { client, transport };
}
