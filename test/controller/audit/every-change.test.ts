import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { CreateGrant } from '../../../controller/http/grant-schemas.js';
import { recoverOwnerToken } from '../../../controller/identity/api-tokens.js';
import { SHIPPED_POLICY } from '../../../controller/policy/document.js';
import type { Principal } from '../../../controller/services.js';
import type { Store } from '../../../controller/store/store.js';
import type { HookSpec } from '../../../protocol/messages/capabilities.js';
import { generateKeyPair } from '../../../runtime/key-file.js';
import { askFor } from '../../support/asks.js';
import { allowRows, refuseRows } from '../../support/audit-rows.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER, startTestCore, type TestCore } from '../../support/core.js';
import { enrollment, PING, type ScriptedAgent, startScriptedAgent } from '../../support/scripted-agent.js';
import { sourceFiles } from '../../support/source-files.js';
import { createTestClock, type TestClock } from '../../support/test-clock.js';
import { until } from '../../support/until.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const ANN: Principal = { id: 'ann', org: 'default', role: 'operator' };
const PASSWORD = 'correct horse battery';
const BROWSER = { cookies: undefined, origin: undefined, host: '127.0.0.1' };
const BODY = { bodySha256: '0'.repeat(64) };
const PRIME = { name: 'prime', description: 'changes something', parameters: [] };
const PRIMES: CreateGrant = {
  scope: 'org',
  target: { fleet: true },
  actions: ['prime*'],
  max_calls: 1,
  expires_in: '1h',
};
const HOOK: Omit<HookSpec, 'checksum'> = {
  name: 'deploy.sh',
  description: '',
  parameters: [],
  source: 'local',
  sandbox: 'none',
};

/** Every change that somebody can make, in an order in which each can be made, and the row that it has to leave. */
const CHANGES: readonly Readonly<{ event: string; make: (at: Site) => Promise<unknown> }>[] = [
  {
    event: 'user_created',
    make: ({ s }) => s().people.createUser(OWNER, { id: 'ann', role: 'operator', password: PASSWORD }),
  },
  { event: 'user_changed', make: ({ s }) => s().people.changeUser(OWNER, 'ann', { role: 'admin' }) },
  {
    event: 'password_changed',
    make: ({ s }) => s().people.changePassword(ANN, { current: PASSWORD, password: `${PASSWORD}!` }),
  },
  { event: 'token_created', make: ({ s }) => s().tokens.login('default', { user: 'ann', password: `${PASSWORD}!` }) },
  { event: 'token_created', make: ({ s }) => s().tokens.create(OWNER, { name: 'ci', user: 'ann' }) },
  {
    event: 'token_created',
    make: ({ s }) => s().sessions.begin({ user: 'ann', password: `${PASSWORD}!` }, BROWSER),
  },
  { event: 'session_link_created', make: ({ s }) => s().sessions.createLink(ANN) },
  {
    event: 'token_deleted',
    make: async ({ s }) => s().tokens.delete(OWNER, (await s().tokens.list(OWNER, { limit: 1 })).items[0]?.id ?? ''),
  },
  { event: 'owner_recovered', make: ({ muster }) => recoverOwnerToken(muster.store, 'default', Date.now()) },
  { event: 'broker_credential_issued', make: ({ s }) => s().brokerCredentials.issue(OWNER, { role: 'monitor' }) },
  { event: 'enrollment_token_created', make: ({ s }) => s().enrollment.createToken(OWNER, TOKEN) },
  {
    event: 'enrollment_token_deleted',
    make: async ({ s }) =>
      s().enrollment.deleteToken(OWNER, (await s().enrollment.listTokens('default', { limit: 1 })).items[0]?.id ?? ''),
  },
  {
    event: 'node_enrolled',
    make: ({ s, token }) => s().enrollment.enroll(enrollment(generateKeyPair(), { token, node_id: 'pump-2' })),
  },
  { event: 'node_changed', make: ({ s }) => s().nodes.change(OWNER, 'pump-1', { groups: ['pumps'] }) },
  {
    event: 'hook_accepted',
    make: ({ s }) => s().hooks.accept(OWNER, { node: 'pump-1', name: 'deploy.sh', checksum: 'b'.repeat(64) }),
  },
  {
    event: 'node_token_created',
    make: ({ s }) => s().polling.createToken(OWNER, { node: 'poll-1', groups: [], labels: {} }),
  },
  {
    event: 'node_token_deleted',
    make: async ({ s }) =>
      s().polling.deleteToken(OWNER, (await s().polling.listTokens('default', { limit: 1 })).items[0]?.id ?? ''),
  },
  { event: 'policy_changed', make: ({ s }) => s().policy.replace(OWNER, SHIPPED_POLICY, () => true) },
  {
    event: 'invocation_created',
    make: ({ s }) => s().invocations.create(OWNER, askFor({ nodes: ['pump-1'] }), BODY),
  },
  {
    event: 'invocation_cancel_requested',
    make: ({ s, newest }) => newest().then((id) => s().invocations.cancel(OWNER, id, {})),
  },
  {
    event: 'invocation_pending',
    make: ({ s }) => s().invocations.create(ANN, askFor({ nodes: ['pump-1'] }, { action: 'prime' }), BODY),
  },
  { event: 'invocation_denied', make: ({ s, newest }) => newest().then((id) => s().invocations.deny(OWNER, id, {})) },
  {
    event: 'invocation_pending',
    make: ({ s }) => s().invocations.create(ANN, askFor({ nodes: ['pump-1'] }, { action: 'prime' }), BODY),
  },
  {
    event: 'invocation_approved',
    make: async ({ s, newest }) => {
      const id = await newest();
      return s().invocations.approve(OWNER, id, { digest: (await s().invocations.get('default', id))?.digest ?? '' });
    },
  },
  {
    event: 'invocation_pending',
    make: ({ s }) => s().invocations.create(ANN, askFor({ nodes: ['pump-1'] }, { action: 'prime' }), BODY),
  },
  { event: 'grant_created', make: ({ s }) => s().grants.create(OWNER, PRIMES) },
  {
    event: 'grant_used',
    make: ({ s }) => s().invocations.create(ANN, askFor({ nodes: ['pump-1'] }, { action: 'prime' }), BODY),
  },
  {
    event: 'grant_revoked',
    make: async ({ s }) =>
      s().grants.revoke(OWNER, (await s().grants.list('default', { limit: 1 })).items[0]?.id ?? ''),
  },
  { event: 'approval_expired', make: ({ muster, later }) => later(400_000).then(() => muster.core.sweep()) },
  { event: 'execution_concluded', make: ({ muster, later }) => later(90_000_000).then(() => muster.core.sweep()) },
  { event: 'user_deleted', make: ({ s }) => s().people.deleteUser(OWNER, 'ann') },
];

const TOKEN = { uses: 5, expires_in: '2h', groups: [], labels: {} };

test('promise 21: every change leaves its audit row, in the same transaction: without the row there is no change', async (t) => {
  const site = await startSite(t);

  for (const { event, make } of CHANGES) {
    await t.test(event, async () => {
      const rows = await countOf(site.muster.store, event);
      const before = await contentOf(site.muster.store);
      await refuseRows(site.muster.store);
      await assert.rejects(make(site), `${event} was made without its row`);
      assert.deepEqual(await contentOf(site.muster.store), before, 'something was changed without its row');
      await allowRows(site.muster.store);
      await make(site);
      assert.ok((await countOf(site.muster.store, event)) > rows, 'the row');
    });
  }
});

test('what a node fetches and accepts over HTTP, and what it says after its time, leaves its row', async (t) => {
  const { muster, s, agent, later } = await startSite(t);
  const caller = { node: 'poll-1', org: 'default' };
  await s().polling.createToken(OWNER, { node: 'poll-1', groups: [], labels: {} });
  const name = await s().polling.queue(OWNER, { machine_id: 'poll-1', action_type: 'restart', data: {} }, BODY);
  assert.equal((await s().polling.fetch(caller, 'first')).length, 1);
  await s().polling.ack(caller, name, { status: 'accepted' });
  assert.equal(await countOf(muster.store, 'execution_fetched'), 1);
  assert.equal(await countOf(muster.store, 'execution_accepted'), 1);

  await s().invocations.create(OWNER, askFor({ nodes: ['pump-1'] }), BODY);
  const offered = await agent.nextOffer();
  await later(90_000_000);
  await muster.core.sweep();
  await agent.ack(offered);
  await until(async () => (await countOf(muster.store, 'execution_reopened')) === 1, { what: 'the row' });
  await until(async () => (await countOf(muster.store, 'invocation_started')) === 1, { what: 'the row of its start' });
});

test('every event of the audit trail is shown by a test', () => {
  const files = sourceFiles(ROOT);
  const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
  const sources = files.filter((file) => file.startsWith('controller/')).map(read);
  const events = new Set(
    sources.flatMap((text) => [...text.matchAll(/\bevent(?: =|:) '([a-z_]+)'/g)].map(([, event]) => event)),
  );
  const tests = files
    .filter((file) => file.startsWith('test/'))
    .map(read)
    .join('\n');

  assert.ok(events.size > 30, `${events.size} events`);
  const missing = [...events].filter((event) => !new RegExp(`\\b${event}\\b`).test(tests));
  assert.deepEqual(missing, []);
});

type Site = Readonly<{
  muster: TestCore;
  s: () => TestCore['core']['services'];
  token: string;
  agent: ScriptedAgent;
  newest: () => Promise<string>;
  later: (ms: number) => Promise<void>;
}>;

async function startSite(t: TestScope): Promise<Site> {
  const clock: TestClock = createTestClock();
  const muster = await startTestCore(t, { clock });
  const { services } = muster.core;
  await muster.store.write((tx) =>
    tx
      .insertInto('users')
      .values({
        ...{ org: 'default', id: 'owner', role: 'owner', password_hash: null },
        created_at: 1,
        created_by: 'test',
        disabled_at: null,
      })
      .execute(),
  );
  const script = { actions: [PRIME, PING], hooks: [{ ...HOOK, checksum: 'a'.repeat(64) }] };
  const agent = await startScriptedAgent(t, {
    services,
    brokerUrl: muster.brokerUrl,
    node: 'pump-1',
    script,
  });
  await agent.announceAs({ ...script, hooks: [{ ...HOOK, checksum: 'b'.repeat(64) }] });
  const { token } = await services.enrollment.createToken(OWNER, TOKEN);
  return {
    ...{ muster, token, agent },
    s: () => muster.core.services,
    newest: async () => (await services.invocations.list('default', { limit: 1 })).items[0]?.id ?? '',
    later: async (ms) => clock.advance(ms),
  };
}

/** Everything that a change may change; steps on the way of an execution are no change of anybody's. */
async function contentOf({ read }: Store): Promise<unknown> {
  const content: unknown[] = [];
  for (const table of [
    'users',
    'api_tokens',
    'enrollment_tokens',
    'node_tokens',
    'node_keys',
    'node_groups',
    'hook_pins',
    'policies',
    'grants',
    'idempotency_keys',
  ] as const) {
    content.push(await read.selectFrom(table).selectAll().execute());
  }
  content.push(await read.selectFrom('nodes').select(['node', 'kid', 'labels', 'revoked_at']).execute());
  content.push(
    await read.selectFrom('invocations').select(['id', 'approved_by', 'cancel_requested_by', 'ask']).execute(),
  );
  content.push(await read.selectFrom('executions').select(['execution_id', 'node', 'open']).execute());
  return content;
}

async function countOf({ read }: Store, event: string): Promise<number> {
  return (await read.selectFrom('audit').select('seq').where('event', '=', event).execute()).length;
}
