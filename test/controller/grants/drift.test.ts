import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CreateGrant, GrantView } from '../../../controller/http/grant-schemas.js';
import type { InvocationView } from '../../../controller/http/schemas.js';
import { createAdapters } from '../../../controller/integrations/adapters/list.js';
import { SENTRY } from '../../../controller/integrations/adapters/sentry.js';
import type { ActionSpec, HookSpec } from '../../../protocol/messages/capabilities.js';
import { askFor } from '../../support/asks.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER, startTestCore } from '../../support/core.js';
import { startIntegrations } from '../../support/integrations.js';
import { makeSandbox } from '../../support/sandboxes.js';
import { PING, startScriptedAgent } from '../../support/scripted-agent.js';
import { startStandIn } from '../../support/stand-in.js';
import { until } from '../../support/until.js';

const [A, B] = ['a'.repeat(64), 'b'.repeat(64)] as const;
const NODE = { nodes: ['pump-1'] };
const BODY = { bodySha256: '1'.repeat(64) };
const PARAMS = { issue: '4711', status: 'resolved' };

/** How a node may come to offer something else under the name. */
const CHANGES: readonly (readonly [what: string, hooks: readonly HookSpec[], actions?: readonly ActionSpec[]])[] = [
  ['another hook that an admin has accepted', [hook(B)]],
  ['the same hook with a sandbox that reaches further', [{ ...hook(A), network: true }]],
  ['a built-in in the place of the hook', [], [{ ...PING, name: 'deploy' }, PING]],
];

for (const [what, hooks, actions = [PING]] of CHANGES) {
  for (const [how, grant] of [
    ['with an approval', approveWithGrant],
    ['alone', grantByName],
  ] as const) {
    test(`S-A-42: what a grant made ${how} is for waits when there is ${what}`, async (t) => {
      const site = await startSite(t);
      await grant(site);
      assert.match((await site.ask()).approved_by ?? '', /^grant:/);

      await site.announce(hooks, actions);
      for (const { checksum } of hooks) await site.accept(checksum);
      assert.equal((await site.ask()).status, 'pending');
      await site.announce([hook(A)], [PING]);
      await site.accept(A);

      assert.match((await site.ask()).approved_by ?? '', /^grant:/, 'it is what it was');
    });
  }
}

test('a pattern is for whatever is called so, and a name that nothing has is refused', async (t) => {
  const site = await startSite(t);
  await site.grant({ actions: ['depl?y'] });

  await site.announce([hook(B)], [PING]);
  await assertRejectsCode(site.ask(), 'hook_changed');
  await assertRejectsCode(site.grant({ actions: ['deploy'] }), 'unknown_action'); // nobody has accepted this one
  await site.accept(B);

  assert.match((await site.ask()).approved_by ?? '', /^grant:/);
  await assertRejectsCode(site.grant({ actions: ['depl*', 'undo'] }), 'unknown_action');
});

for (const target of ['sentry', '*']) {
  test(`S-A-42: a grant for an action of ${target} ends with what the action does`, async (t) => {
    const adapters = new Map(createAdapters());
    const stage = await startIntegrations(t, { adapters });
    await stage.add('sentry', (await startStandIn(t, () => ({ json: { id: '4711' } }))).url);
    const { operator, admin } = stage.people;
    const ask = async () => (await stage.ask('sentry', 'update_issue', PARAMS, operator)).answer.invocation;
    const body = { scope: 'org', target: { integration: target }, actions: ['update_issue'] };
    const made = await stage.call('POST', '/api/v1/grants', { token: admin, body });
    const { id } = GrantView.parse(made.body);
    assert.equal((await ask()).approved_by, `grant:${id}`);

    const actions = SENTRY.actions.map((each) => ({ ...each, fingerprint: `${each.fingerprint} changed` }));
    adapters.set('sentry', { ...SENTRY, actions });

    assert.equal((await ask()).status, 'pending');
    const unknown = { ...body, actions: ['delete_all'] };
    assert.equal((await stage.call('POST', '/api/v1/grants', { token: admin, body: unknown })).status, 422);
  });
}

type Site = Awaited<ReturnType<typeof startSite>>;

async function approveWithGrant({ ask, muster }: Site): Promise<void> {
  const { id, digest } = await ask();
  const grant = { scope: 'session', max_calls: null, expires_in: '1h' } as const;
  await muster.core.services.invocations.approve(OWNER, id, { digest, grant });
}

async function grantByName({ grant }: Site): Promise<void> {
  await grant({ actions: ['deploy'] });
}

function nameOf({ name }: ActionSpec): string {
  return name;
}

function hook(checksum: string): HookSpec {
  return { name: 'deploy', description: 'deploys', parameters: [], source: 'local', checksum, sandbox: 'none' };
}

async function startSite(t: TestScope) {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  await services.people.createUser(OWNER, { id: OWNER.id, role: 'owner' });
  const script = { actions: [PING], hooks: [hook(A)] };
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1', script });
  const { principal: ci } = await makeSandbox(muster, 'ci');
  return {
    muster,
    async ask(): Promise<InvocationView> {
      return (await services.invocations.create(ci, askFor(NODE, { action: 'deploy' }), BODY)).invocation;
    },
    grant: (changes: object): Promise<GrantView> =>
      services.grants.create(OWNER, CreateGrant.parse({ scope: 'org', target: NODE, ...changes })),
    /** From now on the node offers these. */
    async announce(hooks: readonly HookSpec[], actions: readonly ActionSpec[]): Promise<void> {
      await agent.announceAs({ hooks, actions });
      const said = [
        ...hooks.map(({ checksum, network = false }) => [checksum, network]),
        ...actions.map(nameOf),
      ].join();
      const isSeen = async (): Promise<boolean> => {
        const node = await services.nodes.get('default', 'pump-1');
        const known = node?.hook_checksums?.map(({ checksum, network }) => [checksum, network]) ?? [];
        return [...known, ...(node?.builtin_actions ?? [])].join() === said;
      };
      await until(isSeen, { what: 'the announcement' });
    },
    accept: (checksum: string) => services.hooks.accept(OWNER, { node: 'pump-1', name: 'deploy', checksum }),
  };
}
