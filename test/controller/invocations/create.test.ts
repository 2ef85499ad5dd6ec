import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CreateInvocation } from '../../../controller/http/schemas.js';
import type { Principal, Role } from '../../../controller/services.js';
import type { ErrorCode } from '../../../protocol/errors.js';
import type { ActionSpec, HookSpec } from '../../../protocol/messages/capabilities.js';
import { askFor, invoke } from '../../support/asks.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER, startTestCore, type TestCore } from '../../support/core.js';
import { startCoreWithNode } from '../../support/core-with-node.js';
import { enrollNode, type ScriptedAgent, startScriptedAgent } from '../../support/scripted-agent.js';
import { createTestClock } from '../../support/test-clock.js';
import { until } from '../../support/until.js';

const BODY = { bodySha256: '1'.repeat(64) };
const SCRIPT = {
  actions: [action('ping'), strict(), { ...action('format_disk'), risk: 'danger' as const }],
  hooks: [hook('a')],
};

const BAD_ASKS: readonly Readonly<{ what: string; code: ErrorCode; ask: CreateInvocation }>[] = [
  { what: 'an unknown node', code: 'unknown_node', ask: askFor({ nodes: ['pump-1', 'pump-9'] }) },
  { what: 'a group without members', code: 'unknown_group', ask: askFor({ group: 'valves' }) },
  { what: 'labels that no node carries', code: 'no_target', ask: askFor({ labels: { site: 'moon' } }) },
  { what: 'an unknown action', code: 'unknown_action', ask: askFor({ nodes: ['pump-1'] }, { action: 'pong' }) },
  { what: 'a missing parameter', code: 'missing_required_parameter', ask: strictAsk({}) },
  { what: 'a number where a string belongs', code: 'invalid_parameter', ask: strictAsk({ path: 3 }) },
  {
    what: 'a fraction where a whole number belongs',
    code: 'invalid_parameter',
    ask: strictAsk({ path: '/', count: 1.5 }),
  },
  { what: 'a name that is no address', code: 'invalid_parameter', ask: strictAsk({ path: '/', host: 'router' }) },
  { what: 'a parameter that is not announced', code: 'invalid_parameter', ask: strictAsk({ path: '/', extra: true }) },
  {
    what: 'a window of more than 7 days',
    code: 'invalid_request',
    ask: askFor({ nodes: ['pump-1'] }, { expires_in: '169h' }),
  },
];

test('an ask that cannot be right is refused with its code, and nothing is stored', async (t) => {
  const muster = await startWithNode(t);
  const { create } = muster.core.services.invocations;

  for (const { what, code, ask } of BAD_ASKS) {
    await t.test(`${what}: ${code}`, async () => {
      await assertRejectsCode(create(OWNER, ask, { ...BODY, idempotencyKey: 'k' }), code);
      assert.deepEqual(await storedRows(muster), { invocations: 0, executions: 0, idempotency_keys: 0 });
    });
  }
});

test('the executions that come with a new invocation are those that a look at the store shows', async (t) => {
  const { muster, services, goOffline } = await startCoreWithNode(t);
  await enrollNode(services, 'pump-0');
  await goOffline();
  const { create, executions: list } = services.invocations;
  const ask = askFor({ nodes: ['pump-1', 'pump-0'] });

  const { invocation, executions } = await create(OWNER, ask, { ...BODY, idempotencyKey: 'k' });
  const again = await create(OWNER, ask, { ...BODY, idempotencyKey: 'k' });

  assert.deepEqual(executions?.(), (await list('default', invocation.id, { limit: 10 }))?.items);
  assert.equal((await storedRows(muster)).executions, 2);
  assert.deepEqual([again.replayed, again.executions], [true, undefined]);
});

test('a viewer may not ask, an operator’s write waits, an admin changes something when it is confirmed', async (t) => {
  const muster = await startWithNode(t);
  const { create } = muster.core.services.invocations;
  const as = (role: Role): Principal => ({ id: role, org: 'default', role });
  const write = strictAsk({ path: '/' });

  await assertRejectsCode(create(as('viewer'), askFor({ nodes: ['pump-1'] }), BODY), 'forbidden');
  await assertRejectsCode(create(as('admin'), write, BODY), 'confirmation_required');
  const waits = await create(as('operator'), write, BODY);
  const read = await create(as('operator'), askFor({ nodes: ['pump-1'] }), BODY);
  const confirmed = await create(as('admin'), { ...write, confirm: true }, BODY);

  assert.deepEqual([waits.invocation.status, waits.invocation.approved_by], ['pending', null]);
  assert.deepEqual([read.invocation.risk, read.invocation.approved_by], ['read', 'policy']);
  assert.deepEqual([confirmed.invocation.risk, confirmed.invocation.approved_by], ['write', 'admin']);
});

test('danger is denied, also to an owner, and the denial is stored and audited', async (t) => {
  const muster = await startWithNode(t);
  const { services } = muster.core;
  const ask = askFor({ nodes: ['pump-1'] }, { action: 'format_disk' });
  const use = { ...BODY, idempotencyKey: 'once' };

  await assertRejectsCode(services.invocations.create(OWNER, ask, use), 'denied_by_policy');
  await assertRejectsCode(services.invocations.create(OWNER, ask, use), 'denied_by_policy');

  const { items } = await services.invocations.list('default', { limit: 10 });
  assert.deepEqual(
    items.map(({ status, counts }) => [status, counts.total]),
    [['denied', 0]],
  );
  const audit = await muster.store.read
    .selectFrom('audit')
    .selectAll()
    .where('event', '=', 'invocation_denied')
    .execute();
  assert.equal(audit.length, 1);
});

test('of fifty asks at once with one Idempotency-Key one is stored, and all get the same answer (promise 2)', async (t) => {
  const muster = await startWithNode(t);
  const { create } = muster.core.services.invocations;

  const answers = await Promise.all(
    Array.from({ length: 50 }, () => create(OWNER, askFor({ nodes: ['pump-1'] }), { ...BODY, idempotencyKey: 'k' })),
  );

  assert.equal(new Set(answers.map(({ invocation }) => invocation.id)).size, 1);
  assert.equal(answers.filter(({ replayed }) => !replayed).length, 1);
  assert.deepEqual(await storedRows(muster), { invocations: 1, executions: 1, idempotency_keys: 1 });
});

test('the same Idempotency-Key with another body conflicts, for another principal and after a day it does not', async (t) => {
  const clock = createTestClock();
  const muster = await startWithNode(t, clock);
  const { create } = muster.core.services.invocations;
  const ask = askFor({ nodes: ['pump-1'] });
  const first = await create(OWNER, ask, { ...BODY, idempotencyKey: 'k' });

  await assertRejectsCode(
    create(OWNER, ask, { bodySha256: '2'.repeat(64), idempotencyKey: 'k' }),
    'idempotency_conflict',
  );
  const other = await create({ ...OWNER, id: 'alice' }, ask, { ...BODY, idempotencyKey: 'k' });
  clock.advance(24 * 3600 * 1000 + 1);
  const later = await create(OWNER, ask, { ...BODY, idempotencyKey: 'k' });

  assert.equal(new Set([first, other, later].map(({ invocation }) => invocation.id)).size, 3);
});

test('promise 15: a node takes no more open executions than it may have', async (t) => {
  const muster = await startWithNode(t, undefined, { max_open_per_node: 3 });
  const { services } = muster.core;
  for (let count = 0; count < 3; count += 1) await invoke(services.invocations, { nodes: ['pump-1'] });

  await assertRejectsCode(invoke(services.invocations, { nodes: ['pump-1'] }), 'too_many_open');
});

test('a hook that changed is refused until somebody accepts the change', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const { brokerUrl } = muster;
  const agent = await startScriptedAgent(t, { services, brokerUrl, node: 'pump-1', script: SCRIPT });
  await invoke(services.invocations, { nodes: ['pump-1'] }, { action: 'deploy' });

  await changeHook(agent, muster);

  await assertRejectsCode(invoke(services.invocations, { nodes: ['pump-1'] }, { action: 'deploy' }), 'hook_changed');
});

test('a time-out comes from the ask, else from the definition, else it is 30 s', async (t) => {
  const muster = await startWithNode(t);
  const { services } = muster.core;
  const timeoutOf = async (changes: Partial<CreateInvocation>): Promise<string | undefined> => {
    const id = await invoke(services.invocations, { nodes: ['pump-1'] }, changes);
    return (await services.invocations.get('default', id))?.timeout;
  };

  assert.equal(await timeoutOf({}), '30s');
  assert.equal(await timeoutOf({ action: 'deploy' }), '5m');
  assert.equal(await timeoutOf({ action: 'deploy', timeout: '90s' }), '90s');
});

test('what nobody has announced yet cannot be asked of anybody', async (t) => {
  const muster = await startTestCore(t);
  await enrollNode(muster.core.services, 'pump-1');
  await assertRejectsCode(invoke(muster.core.services.invocations, { nodes: ['pump-1'] }), 'unknown_action');
});

test('A-48, S-A-33: invocations are listed newest first and their executions by node, page by page', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  for (const node of ['a', 'b', 'c']) await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node });
  const ids: string[] = [];
  for (let count = 0; count < 3; count += 1) ids.unshift(await invoke(services.invocations, { fleet: true }));

  const first = await services.invocations.list('default', { limit: 2 });
  const second = await services.invocations.list('default', { limit: 2, cursor: first.next_cursor ?? undefined });
  assert.deepEqual(
    [...first.items, ...second.items].map(({ id }) => id),
    ids,
  );
  assert.equal(second.next_cursor, null);

  const page = await services.invocations.executions('default', ids[0] ?? '', { limit: 2 });
  const rest = await services.invocations.executions('default', ids[0] ?? '', {
    limit: 2,
    cursor: page?.next_cursor ?? undefined,
  });
  assert.deepEqual(
    [...(page?.items ?? []), ...(rest?.items ?? [])].map(({ node }) => node),
    ['a', 'b', 'c'],
  );
  assert.equal(await services.invocations.get('other', ids[0] ?? ''), undefined);
  assert.equal(await services.invocations.executions('default', 'nobody', { limit: 2 }), undefined);
});

test('a wait ends when its time is over, and when the caller hangs up', async (t) => {
  const muster = await startWithNode(t);
  const { services } = muster.core;
  const id = await invoke(services.invocations, { nodes: ['pump-1'] });

  assert.equal((await services.invocations.whenDone('default', id, { ms: 20 }))?.status, 'approved');
  const hangUp = new AbortController();
  const waiting = services.invocations.whenDone('default', id, { ms: 60_000, signal: hangUp.signal });
  hangUp.abort();

  assert.equal((await waiting)?.status, 'approved');
  assert.equal(await services.invocations.whenDone('default', 'nothing', { ms: 60_000 }), undefined);
});

async function startWithNode(
  t: TestScope,
  clock = createTestClock(),
  config: Readonly<Record<string, unknown>> = {},
): Promise<TestCore> {
  const muster = await startTestCore(t, { clock, config });
  const { services } = muster.core;
  await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1', script: SCRIPT });
  return muster;
}

async function changeHook(agent: ScriptedAgent, { core }: TestCore): Promise<void> {
  await agent.announceAs({ actions: SCRIPT.actions, hooks: [hook('b')] });
  await until(
    async () =>
      Object.keys(
        (await core.services.nodes.actions('default')).find(({ kind }) => kind === 'hook')?.checksums ?? {},
      )[0]?.startsWith('b'),
    { what: 'the changed hook' },
  );
}

async function storedRows({ store }: TestCore): Promise<Record<string, number>> {
  const count = async (table: 'invocations' | 'executions' | 'idempotency_keys'): Promise<number> =>
    (await store.read.selectFrom(table).selectAll().execute()).length;
  return {
    invocations: await count('invocations'),
    executions: await count('executions'),
    idempotency_keys: await count('idempotency_keys'),
  };
}

function action(name: string): ActionSpec {
  return { name, description: '', parameters: [] };
}

function strict(): ActionSpec {
  const base = { required: false, description: '' };
  return {
    ...action('copy'),
    parameters: [
      { ...base, name: 'path', type: 'string', required: true },
      { ...base, name: 'count', type: 'integer' },
      { ...base, name: 'host', type: 'ip' },
    ],
  };
}

function strictAsk(parameters: CreateInvocation['parameters']): CreateInvocation {
  return askFor({ nodes: ['pump-1'] }, { action: 'copy', parameters });
}

function hook(letter: string): HookSpec {
  return { ...action('deploy'), timeout: '5m', source: 'local', checksum: letter.repeat(64), sandbox: 'none' };
}
