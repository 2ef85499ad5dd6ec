import assert from 'node:assert/strict';
import { request as requestHttp } from 'node:http';
import { test } from 'node:test';
import { Client, type ClientOptions, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { z } from 'zod';
import { ActionsAnswer, AskAnswer, NodesAnswer } from '../../../controller/mcp/answers.js';
import type { Role } from '../../../controller/services.js';
import { createSecrets } from '../../../runtime/masking/mask.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER, startTestCore, type TestCore } from '../../support/core.js';
import { assertProblem, startTestHttp } from '../../support/http.js';
import { makeSandbox, type TestSandbox } from '../../support/sandboxes.js';
import { type ScriptedAgent, startScriptedAgent } from '../../support/scripted-agent.js';

const TARGET = { name: 'target', type: 'string', required: true, description: 'whom' } as const;
const ACTIONS = [
  { name: 'ping', description: 'answers', parameters: [] },
  { name: 'greet', description: 'says something', parameters: [TARGET] },
];
/** Clients of the present revision of the protocol, and of those before it. */
const ERAS: readonly ClientOptions[] = [{ versionNegotiation: { mode: 'auto' } }, {}];
const MESSAGE = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} };

for (const [index, era] of ERAS.entries()) {
  test(`era ${index}: an AI agent finds nodes and actions, asks, waits for a person, looks again and cancels`, async (t) => {
    const site = await startSite(t);
    const { muster, agent } = site;
    const client = await connect(t, site, era);
    const call = async <S extends z.ZodType>(schema: S, name: string, input: Record<string, unknown> = {}) => {
      const { structuredContent, isError, content } = await client.callTool({ name, arguments: input });
      assert.notEqual(isError, true, JSON.stringify(content));
      return schema.parse(structuredContent);
    };

    const { nodes } = await call(NodesAnswer, 'list_nodes');
    const { actions } = await call(ActionsAnswer, 'list_actions', { name: 'greet' });
    const asking = call(AskAnswer, 'invoke_action', { action: 'ping', target: { fleet: true } });
    const offer = await agent.nextOffer();
    await agent.ack(offer);
    await agent.result(offer);
    const read = await asking;
    const greet = {
      action: 'greet',
      target: { nodes: ['pump-1'] },
      parameters: { target: 'Ada' },
      reason: 'a birthday',
    };
    const pending = await call(AskAnswer, 'invoke_action', greet);
    const again = await call(AskAnswer, 'get_invocation', { invocation_id: pending.invocation_id });
    const { digest } = (await muster.core.services.invocations.get('default', pending.invocation_id)) ?? {};
    await muster.core.services.invocations.approve(OWNER, pending.invocation_id, { digest: digest ?? '' });
    const other = await call(AskAnswer, 'invoke_action', greet);
    const cancelled = await call(AskAnswer, 'cancel_invocation', { invocation_id: other.invocation_id });

    assert.deepEqual(
      nodes.map(({ node, state }) => [node, state]),
      [['pump-1', 'online']],
    );
    assert.deepEqual(actions, [
      {
        ...{ name: 'greet', description: 'says something', risk: 'write', parameters: [TARGET] },
        ...{ nodes: ['pump-1'], node_count: 1, hints: { readOnlyHint: false, destructiveHint: true } },
      },
    ]);
    assert.deepEqual([read.status, read.executions[0]?.stdout], ['completed', 'done\n']);
    for (const { status, message } of [pending, again]) {
      assert.equal(status, 'pending');
      assert.match(message, /^A person has to approve it/);
    }
    assert.deepEqual((await agent.nextOffer()).request.parameters, greet.parameters);
    assert.equal(cancelled.status, 'cancelled');
  });
}

test('the tools say of themselves what they change, and none of them approves', async (t) => {
  const site = await startSite(t);
  const client = await connect(t, site);

  const { tools } = await client.listTools();

  assert.deepEqual(
    tools.map(({ name, annotations }) => [name, annotations?.readOnlyHint, annotations?.destructiveHint]),
    [
      ['list_nodes', true, false],
      ['list_actions', true, false],
      ['get_invocation', true, false],
      ['invoke_action', false, true],
      ['cancel_invocation', false, true],
    ],
  );
  for (const { inputSchema, outputSchema, description } of tools) {
    assert.ok(outputSchema !== undefined && description !== undefined);
    assert.doesNotMatch(JSON.stringify(inputSchema), /confirm|digest|approv/);
  }
  for (const name of ['approve_invocation', 'deny_invocation', 'approve']) {
    await assert.rejects(client.callTool({ name, arguments: {} }), /not found/i);
  }
});

test('what is refused is an answer that says what to do, and counts like an ask over REST', async (t) => {
  const site = await startSite(t);
  const { sandbox } = site;
  const client = await connect(t, site);
  const refusal = async (name: string, input: Record<string, unknown>): Promise<string> => {
    const { isError, content } = await client.callTool({ name, arguments: input });
    assert.equal(isError, true);
    return z.array(z.object({ text: z.string() })).parse(content)[0]?.text ?? '';
  };
  const greet = { action: 'greet', target: { nodes: ['pump-1'] }, parameters: { target: 'Ada' } };
  const nowhere = '018f2a10-0000-7000-8000-000000000000';

  assert.match(await refusal('invoke_action', { ...greet, action: 'nope' }), /\[unknown_action\]\. What to do: /);
  assert.match(await refusal('invoke_action', { ...greet, target: { nodes: ['valve-1'] } }), /\[unknown_node\]/);
  assert.match(await refusal('invoke_action', { ...greet, parameters: {} }), /\[missing_required_parameter\]/);
  assert.match(await refusal('invoke_action', { ...greet, target: { nodes: ['a/b'] } }), /Invalid arguments/);
  assert.match(await refusal('invoke_action', { ...greet, parameters: { 'a\nb': 1 } }), /\[invalid_request\]/);
  assert.match(await refusal('get_invocation', { invocation_id: nowhere }), /\[not_found\]/);
  assert.match(await refusal('cancel_invocation', { invocation_id: nowhere }), /\[not_found\]/);
  for (let count = 0; count < 10; count += 1) await client.callTool({ name: 'invoke_action', arguments: greet });
  assert.match(await refusal('invoke_action', greet), /\[too_many_pending\]/);
  const { items } = await site.muster.core.services.invocations.list('default', { limit: 100 });
  assert.deepEqual(
    [items.length, new Set(items.map(({ created_by }) => created_by))],
    [10, new Set([sandbox.principal.id])],
  );
});

test('two agents see each other’s asks neither by id nor by key', async (t) => {
  const site = await startSite(t);
  const first = await connect(t, site);
  const second = await connect(t, { ...site, sandbox: await makeSandbox(site.muster, 'second') });
  const greet = {
    action: 'greet',
    target: { nodes: ['pump-1'] },
    parameters: { target: 'Ada' },
    idempotency_key: 'one',
  };
  const ask = async (client: Client) =>
    AskAnswer.parse((await client.callTool({ name: 'invoke_action', arguments: greet })).structuredContent)
      .invocation_id;

  const id = await ask(first);

  assert.equal(await ask(first), id);
  assert.notEqual(await ask(second), id);
  const seen = await second.callTool({ name: 'get_invocation', arguments: { invocation_id: id } });
  assert.equal(seen.isError, true);
});

test('what there is comes in pages, each thing once, and a cursor of another list is refused', async (t) => {
  const site = await startSite(t);
  const { services } = site.muster.core;
  const credential = { provider: 'stored', token: 'the-token-of-it' } as const;
  await services.integrations.add(OWNER, { adapter: 'sentry', base_url: 'http://127.0.0.1:1', credential });
  await startScriptedAgent(t, {
    services,
    brokerUrl: site.muster.brokerUrl,
    node: 'pump-2',
    script: { actions: ACTIONS },
  });
  const sandbox = await makeSandbox(site.muster, 'pages', [
    { target: { fleet: true }, actions: ['*'] },
    { integration: 'sentry', actions: ['*'] },
  ]);
  const client = await connect(t, { ...site, sandbox });
  const walk = async <S extends z.ZodType<{ next_cursor: string | null }>>(schema: S, name: string) => {
    const pages: z.infer<S>[] = [];
    for (let cursor: string | null | undefined; cursor !== null; cursor = pages.at(-1)?.next_cursor) {
      const input = { limit: 2, ...(cursor === undefined ? {} : { cursor }) };
      pages.push(schema.parse((await client.callTool({ name, arguments: input })).structuredContent));
      assert.ok(pages.length < 10);
    }
    return pages;
  };

  const actions = await walk(ActionsAnswer, 'list_actions');
  const nodes = await walk(NodesAnswer, 'list_nodes');
  const alien = await client.callTool({ name: 'list_actions', arguments: { cursor: 'cHVtcC0x' } });

  assert.deepEqual(
    actions.map((page) => [
      ...page.actions.map(({ name, node_count }) => `${name} on ${node_count}`),
      ...page.integrations.flatMap(({ integration, actions: offered }) =>
        offered.map(({ name }) => `${integration}/${name}`).sort(),
      ),
    ]),
    [
      ['greet on 2', 'ping on 2'],
      ['sentry/get_event', 'sentry/get_issue'],
      ['sentry/list_issue_events', 'sentry/list_issues'],
      ['sentry/update_issue'],
    ],
  );
  assert.deepEqual(
    nodes.map((page) => page.nodes.map(({ node }) => node)),
    [['pump-1', 'pump-2']],
  );
  assert.equal(alien.isError, true);
});

test('promise 22: an answer holds no registered value, also of what was stored before it was one', async (t) => {
  const secrets = createSecrets();
  const site = await startSite(t, { mcp: true }, secrets);
  const client = await connect(t, site);

  secrets.register('test', ['says something']);
  const answer = await client.callTool({ name: 'list_actions', arguments: { name: 'greet' } });

  assert.equal(ActionsAnswer.parse(answer.structuredContent).actions[0]?.description, '[redacted]');
  assert.doesNotMatch(JSON.stringify(answer), /says something/);
});

test('it is off until controller.mcp is true', async (t) => {
  const { url, sandbox } = await startSite(t, {});

  await assertProblem(await post(url, sandbox.token, MESSAGE), 404, 'not_found');
});

test('whoever may approve is not let in, and neither is who may not ask', async (t) => {
  const { muster, url } = await startSite(t);
  const { people, tokens } = muster.core.services;
  const statusOf = async (role: Role): Promise<number> => {
    await people.createUser(OWNER, { id: `the-${role}`, role });
    const { token } = await tokens.create(OWNER, { user: `the-${role}`, name: 'test' });
    return (await post(url, token, MESSAGE)).status;
  };

  assert.deepEqual([await statusOf('viewer'), await statusOf('operator')], [403, 200]);
  assert.deepEqual([await statusOf('admin'), await statusOf('owner')], [403, 403]);
});

test('pages of other sites, strange hosts, batches and what is no message are refused', async (t) => {
  const { muster, url, sandbox } = await startSite(t);
  const { port } = new URL(url);
  const { token } = sandbox;
  const statusOf = (headers: Readonly<Record<string, string>>): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const asked = requestHttp(`${url}/mcp`, {
        method: 'POST',
        headers: {
          ...{ authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          ...{ accept: 'application/json, text/event-stream', ...headers },
        },
      });
      asked.once('response', (response) => resolve(response.resume().statusCode)).once('error', reject);
      asked.end(JSON.stringify(MESSAGE));
    });

  for (const headers of [
    { host: 'attacker.example' },
    { host: `attacker.example:${port}`, origin: `http://attacker.example:${port}` },
    { origin: 'https://attacker.example' },
    { origin: 'null' },
    { host: 'muster.example.attacker.example' },
  ]) {
    assert.equal(await statusOf(headers), 403, JSON.stringify(headers));
  }
  for (const headers of [
    { host: `localhost:${port}` },
    { host: 'muster.example' },
    { host: `[::1]:${port}` },
    { origin: url },
  ]) {
    assert.equal(await statusOf(headers), 200, JSON.stringify(headers));
  }
  await assertProblem(await post(url, token, [MESSAGE, MESSAGE]), 400, 'invalid_request');
  assert.equal((await post(url, token, { hello: 'there' })).status, 400);
  assert.equal((await post(url, 'msb_0000000000000000_00000000000000000000000000000000', MESSAGE)).status, 401);
  await muster.core.services.sandboxes.delete(OWNER, sandbox.id);
  assert.equal((await post(url, token, MESSAGE)).status, 401, 'promise 20');
});

function post(url: string, token: string, message: unknown): Promise<Response> {
  return fetch(`${url}/mcp`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify(message),
  });
}

type Site = Readonly<{ muster: TestCore; url: string; agent: ScriptedAgent; sandbox: TestSandbox }>;

async function connect(
  t: TestScope,
  { url, sandbox }: Pick<Site, 'url' | 'sandbox'>,
  options = ERAS[0],
): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' }, options);
  const requestInit = { headers: { authorization: `Bearer ${sandbox.token}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit }));
  t.after(() => client.close());
  return client;
}

async function startSite(
  t: TestScope,
  config: Readonly<Record<string, unknown>> = { mcp: true, mcp_hosts: ['muster.example'] },
  secrets = createSecrets(),
): Promise<Site> {
  const muster = await startTestCore(t, { config, secrets });
  const { services } = muster.core;
  const script = { actions: ACTIONS };
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1', script });
  const sandbox = await makeSandbox(muster, 'ai');
  const { url } = await startTestHttp(t, services);
  return { muster, url, agent, sandbox };
}
