import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HookView } from '../../../controller/http/schemas.js';
import type { HookSpec } from '../../../protocol/messages/capabilities.js';
import { Enrolled } from '../../../protocol/messages/enrollment.js';
import { generateKeyPair } from '../../../runtime/key-file.js';
import { invoke } from '../../support/asks.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { auditRows } from '../../support/audit-rows.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER, startTestCore, type TestCore } from '../../support/core.js';
import {
  type AgentScript,
  connectScriptedAgent,
  enrollment,
  PING,
  payloadOf,
  type ScriptedAgent,
  startScriptedAgent,
} from '../../support/scripted-agent.js';
import { until } from '../../support/until.js';

const [A, B, C] = ['a'.repeat(64), 'b'.repeat(64), 'c'.repeat(64)] as const;
const ALL = { limit: 200 };

test('a changed hook is refused until it is accepted, then asked for with the new checksum; each step is audited once', async (t) => {
  const muster = await startTestCore(t);
  const agent = await startNode(t, muster, 'pump-1', { hooks: [hook(A)] });

  await announce(muster, agent, [hook(B)]);
  await announce(muster, agent, [hook(B), { ...hook(A), name: 'other' }]); // the change is no news by now
  await assertRejectsCode(deploy(muster, { nodes: ['pump-1'] }), 'hook_changed');
  const accepted = await accept(muster, 'pump-1', B);
  await deploy(muster, { nodes: ['pump-1'] });

  assert.deepEqual(accepted, await hookOf(muster, 'pump-1'));
  assert.deepEqual([accepted?.checksum, accepted?.pinned_checksum, accepted?.changed], [B, B, false]);
  assert.equal((await agent.nextOffer()).request.checksum, B);
  const subject = 'hook:pump-1/deploy';
  assert.deepEqual(await auditRows(muster.store, 'hook_pinned'), [
    { actor: 'node:pump-1', subject, details: { checksum: A, sandbox: 'none' } },
    { actor: 'node:pump-1', subject: 'hook:pump-1/other', details: { checksum: A, sandbox: 'none' } },
  ]);
  assert.deepEqual(await auditRows(muster.store, 'hook_changed'), [
    { actor: 'node:pump-1', subject, details: { checksum: B, pinned: A } },
  ]);
  assert.deepEqual(await auditRows(muster.store, 'hook_accepted'), [
    { actor: 'owner', subject, details: { checksum: B, previous: A } },
  ]);
});

test('whoever accepts names the checksum that the node has now: an older one is refused with hook_changed', async (t) => {
  const muster = await startTestCore(t);
  const agent = await startNode(t, muster, 'pump-1', { hooks: [hook(A)] });
  await announce(muster, agent, [hook(B)]);
  await announce(muster, agent, [hook(C)]);

  const { message } = await assertRejectsCode(accept(muster, 'pump-1', B), 'hook_changed');

  assert.match(message, new RegExp(C));
  assert.equal((await hookOf(muster, 'pump-1'))?.pinned_checksum, A);
  assert.deepEqual(await auditRows(muster.store, 'hook_accepted'), []);
});

test('to accept once more, or many times at once, changes nothing and is audited once', async (t) => {
  const muster = await startTestCore(t);
  const agent = await startNode(t, muster, 'pump-1', { hooks: [hook(A)] });
  await announce(muster, agent, [hook(B)]);

  const answers = await Promise.all(Array.from({ length: 20 }, () => accept(muster, 'pump-1', B)));
  answers.push(await accept(muster, 'pump-1', B));

  for (const answer of answers) assert.deepEqual(answer, answers[0]);
  assert.equal((await auditRows(muster.store, 'hook_accepted')).length, 1);
});

test('an acceptance is not lost to a hello that is stored after it', async (t) => {
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  t.after(() => open()); // first, since the store ends only when it has written
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const agent = await startNode(t, muster, 'pump-1', { hooks: [hook(A)], runs: false });
  await deploy(muster, { nodes: ['pump-1'] });
  const offered = await agent.nextOffer();
  await announce(muster, agent, [hook(B)]);
  const lastSeen = async () => (await services.nodes.get('default', 'pump-1'))?.last_seen;
  const before = await lastSeen();

  const blocking = muster.store.write(() => gate); // so that acceptance and hello wait for the disk together
  const accepting = accept(muster, 'pump-1', B);
  const greeting = agent.hello();
  await agent.result(offered); // what comes after the hello shows that it was taken
  await until(async () => (await lastSeen()) !== before, { what: 'the result' });
  open();
  await Promise.all([blocking, accepting, greeting]);

  assert.equal((await hookOf(muster, 'pump-1'))?.pinned_checksum, B);
});

test('an acceptance outlives a restart of the controller', async (t) => {
  const muster = await startTestCore(t);
  const agent = await startNode(t, muster, 'pump-1', { hooks: [hook(A)] });
  await announce(muster, agent, [hook(B)]);
  const accepted = await accept(muster, 'pump-1', B);

  await muster.stop();
  await muster.start();

  assert.deepEqual(await hookOf(muster, 'pump-1'), accepted);
});

test('there is nothing to accept on an unknown node, in another org, for a built-in or a hook that is not offered', async (t) => {
  const muster = await startTestCore(t);
  const agent = await startNode(t, muster, 'pump-1', { hooks: [hook(A)] });
  const { hooks } = muster.core.services;
  const named = { node: 'pump-1', name: 'deploy', checksum: A };

  assert.equal(await hooks.accept(OWNER, { ...named, node: 'pump-2' }), undefined);
  assert.equal(await hooks.accept(OWNER, { ...named, name: 'other' }), undefined);
  assert.equal(await hooks.accept(OWNER, { ...named, name: 'ping' }), undefined);
  assert.equal(await hooks.accept({ ...OWNER, org: 'other' }, named), undefined);
  await announce(muster, agent, []);
  assert.equal(await hooks.accept(OWNER, named), undefined);
});

test('a group or the fleet is refused while one of its nodes has a changed hook, and the refusal names it', async (t) => {
  const muster = await startTestCore(t);
  const script = { hooks: [hook(A)], groups: ['pumps'], runs: true };
  const agents = [];
  for (const node of ['a', 'b', 'c']) agents.push(await startNode(t, muster, node, script));
  const [, b] = agents;
  assert.ok(b !== undefined);

  await announce(muster, b, [hook(B)]);
  for (const target of [{ group: 'pumps' }, { fleet: true } as const, { nodes: ['a', 'b'] }]) {
    const { message } = await assertRejectsCode(deploy(muster, target), 'hook_changed');
    assert.match(message, /pinned on b$/);
  }
  await accept(muster, 'b', B);
  const id = await deploy(muster, { group: 'pumps' });

  const { services } = muster.core;
  assert.equal((await services.invocations.whenDone('default', id, { ms: 5_000 }))?.status, 'completed');
  const pinned = agents.map(({ offers }) => offers.map(({ request }) => request.checksum));
  assert.deepEqual(pinned, [[A], [B], [A]], 'each node was asked for the version that it has');
});

test('a hook that is removed and put back keeps its pin, also under another version', async (t) => {
  const muster = await startTestCore(t);
  const agent = await startNode(t, muster, 'pump-1', { hooks: [hook(A)] });

  await announce(muster, agent, []);
  await announce(muster, agent, [hook(B)]);
  assert.deepEqual((await hookOf(muster, 'pump-1'))?.pinned_checksum, A);
  await assertRejectsCode(deploy(muster, { nodes: ['pump-1'] }), 'hook_changed');
  await announce(muster, agent, [hook(A)]);
  await deploy(muster, { nodes: ['pump-1'] });

  assert.equal((await auditRows(muster.store, 'hook_pinned')).length, 1);
  assert.equal((await auditRows(muster.store, 'hook_changed')).length, 1);
  assert.deepEqual(
    (await auditRows(muster.store, 'hook_returned')).map(({ details }) => details),
    [{ checksum: B, sandbox: 'none' }],
  );
});

test('a node that enrolls again with its token and key keeps its pins', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const once = { uses: 1, expires_in: '1h', groups: [], labels: {} };
  const { token } = await services.enrollment.createToken(OWNER, once);
  const keys = generateKeyPair();
  const enroll = async (): Promise<ScriptedAgent> => {
    const { jws } = await services.enrollment.enroll(enrollment(keys, { token, node_id: 'pump-1' }));
    const { password } = Enrolled.parse(payloadOf(jws)).broker;
    const script = { hooks: [] };
    const agent = connectScriptedAgent(t, { brokerUrl: muster.brokerUrl, node: 'pump-1', keys, script, password });
    await until(() => agent.session.connected, { what: 'the connection' });
    return agent;
  };

  const before = await enroll();
  await announce(muster, before, [hook(A)]);
  await before.session.stop();
  await announce(muster, await enroll(), [hook(B)]);

  assert.equal((await hookOf(muster, 'pump-1'))?.pinned_checksum, A);
  await assertRejectsCode(deploy(muster, { nodes: ['pump-1'] }), 'hook_changed');
});

test('a weaker sandbox under the same checksum is audited', async (t) => {
  const muster = await startTestCore(t);
  const boxed = { ...hook(A), sandbox: 'bubblewrap' };
  const agent = await startNode(t, muster, 'pump-1', { hooks: [boxed] });

  await announce(muster, agent, [{ ...boxed, network: true, writable: ['/srv'] }]);
  await announce(muster, agent, [hook(A)]);

  assert.deepEqual(
    (await auditRows(muster.store, 'hook_sandbox_changed')).map(({ details }) => details),
    [
      { from: 'bubblewrap', to: 'bubblewrap network /srv' },
      { from: 'bubblewrap network /srv', to: 'none' },
    ],
  );
});

test('hooks are listed by node and name, page by page, and by what is asked for', async (t) => {
  const muster = await startTestCore(t);
  const { hooks, nodes } = muster.core.services;
  const all = ['a.sh', 'b', 'b-c'].map((name) => ({ ...hook(A), name }));
  for (const node of ['n', 'n-1', 'n1']) await startNode(t, muster, node, { hooks: all });
  const agent = await startNode(t, muster, 'z', { hooks: [hook(A)] });
  await announce(muster, agent, [{ ...hook(B), fault: 'it is odd', sandbox: 'unknown' }]);

  const paged: HookView[] = [];
  let cursor: string | undefined;
  do {
    const page = await hooks.list('default', { limit: 2, cursor });
    assert.ok(page.items.length <= 2);
    paged.push(...page.items);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);

  assert.deepEqual(
    paged.map(({ node, name }) => `${node}/${name}`),
    [...['n', 'n-1', 'n1'].flatMap((node) => all.map(({ name }) => `${node}/${name}`)), 'z/deploy'],
  );
  assert.deepEqual(await whole({ ...ALL, changed: 'true' }), paged.slice(-1));
  assert.deepEqual(await whole({ ...ALL, changed: 'false' }), paged.slice(0, -1));
  assert.deepEqual(await whole({ ...ALL, node: 'n-1' }), paged.slice(3, 6));
  assert.deepEqual((await whole({ ...ALL, name: 'a.sh' })).length, 3);
  assert.deepEqual((await nodes.get('default', 'z'))?.hook_checksums, [
    {
      ...{ node: 'z', name: 'deploy', checksum: B, pinned_checksum: A, changed: true },
      ...{ sandbox: 'unknown', network: false, writable: [], fault: 'it is odd' },
    },
  ]);
  assert.deepEqual(await hooks.list('other', ALL), { items: [], next_cursor: null });

  async function whole(query: Parameters<typeof hooks.list>[1]): Promise<readonly HookView[]> {
    return (await hooks.list('default', query)).items;
  }
});

function startNode(
  t: TestScope,
  { core, brokerUrl }: TestCore,
  node: string,
  script: AgentScript,
): Promise<ScriptedAgent> {
  return startScriptedAgent(t, { services: core.services, brokerUrl, node, script });
}

/** Announces these hooks and waits until the controller has taken them. */
async function announce({ core }: TestCore, agent: ScriptedAgent, hooks: readonly HookSpec[]): Promise<void> {
  await agent.announceAs({ actions: [PING], hooks });
  await until(
    async () => {
      const known = (await core.services.nodes.get('default', agent.node))?.hook_checksums ?? [];
      const seen = known.map(({ name, checksum, sandbox, network }) => [name, checksum, sandbox, network].join());
      const said = hooks.map(({ name, checksum, sandbox, network = false }) =>
        [name, checksum, sandbox, network].join(),
      );
      return seen.join() === said.join();
    },
    { what: 'the announcement' },
  );
}

function accept({ core }: TestCore, node: string, checksum: string): Promise<HookView | undefined> {
  return core.services.hooks.accept(OWNER, { node, name: 'deploy', checksum });
}

async function hookOf({ core }: TestCore, node: string): Promise<HookView | undefined> {
  return (await core.services.hooks.list('default', { ...ALL, node, name: 'deploy' })).items[0];
}

function deploy({ core }: TestCore, target: Parameters<typeof invoke>[1]): Promise<string> {
  return invoke(core.services.invocations, target, { action: 'deploy' });
}

function hook(checksum: string): HookSpec {
  return { name: 'deploy', description: '', parameters: [], source: 'local', checksum, sandbox: 'none' };
}
