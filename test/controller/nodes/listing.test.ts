import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NodesSummary } from '../../../controller/http/list-schemas.js';
import { NodeView, pageOf } from '../../../controller/http/schemas.js';
import { firstRecords } from '../../../controller/nodes/listing.js';
import { loadRegistry } from '../../../controller/nodes/registry.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER, startTestCore } from '../../support/core.js';
import { assertProblem, startTestHttp } from '../../support/http.js';
import { makeSandbox } from '../../support/sandboxes.js';
import { enrollNode, startScriptedAgent } from '../../support/scripted-agent.js';
import { until } from '../../support/until.js';

const NODES = '/api/v1/nodes';
const Page = pageOf(NodeView);

test('a list of nodes is narrowed by a part of the id, state, group and labels, each of which has to fit', async (t) => {
  const { list } = await startFleet(t);

  assert.deepEqual(await list(''), ['Pump-2', 'poll-1', 'pump-1', 'valve-1']);
  assert.deepEqual(await list('q=PUMP'), ['Pump-2', 'pump-1']);
  assert.deepEqual(await list('q=-1'), ['poll-1', 'pump-1', 'valve-1']);
  assert.deepEqual(await list('q=%25'), []);
  assert.deepEqual(await list('q='), ['Pump-2', 'poll-1', 'pump-1', 'valve-1']);
  assert.deepEqual(await list('state=online'), ['pump-1']);
  assert.deepEqual(await list('state=offline'), ['valve-1']);
  assert.deepEqual(await list('state=online,never_seen'), ['Pump-2', 'poll-1', 'pump-1']);
  assert.deepEqual(await list('group=pumps'), ['Pump-2', 'pump-1']);
  assert.deepEqual(await list('group=nobody'), []);
  assert.deepEqual(await list('label=site%3Dsouth'), ['pump-1', 'valve-1']);
  assert.deepEqual(await list('label=site%3Dsouth&label=tier%3Dtest'), ['valve-1']);
  assert.deepEqual(await list('label=site%3D'), []);
  assert.deepEqual(await list('label=constructor%3Dx'), []);
  assert.deepEqual(await list('group=pumps&label=site%3Dsouth&state=online&q=p'), ['pump-1']);
});

test('a narrowed list goes on with the same cursors', async (t) => {
  const { url, headers } = await startFleet(t);
  const seen: string[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query = `q=-1&limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`;
    const page = Page.parse(await (await fetch(`${url}${NODES}?${query}`, { headers })).json());
    assert.ok(page.items.length <= 1);
    seen.push(...page.items.map(({ node }) => node));
    cursor = page.next_cursor;
  }
  assert.deepEqual(seen, ['poll-1', 'pump-1', 'valve-1']);
});

test('filters that cannot be are refused with the field that is at fault', async (t) => {
  const { url, headers } = await startFleet(t);
  for (const [query, pointer] of [
    [`q=${'x'.repeat(64)}`, '/q'],
    ['q=a&q=b', '/q'],
    ['state=asleep', '/state/0'],
    ['state=', '/state/0'],
    ['group=a%2Fb', '/group'],
    ['label=site', '/label/0'],
    ['label=a%3Db&label=%3D', '/label/1'],
    ['colour=red', '/colour'],
  ] as const) {
    const { errors } = await assertProblem(await fetch(`${url}${NODES}?${query}`, { headers }), 400, 'invalid_request');
    assert.equal(errors?.[0]?.pointer, pointer, query);
  }
});

test('the nodes are counted by their state, and for a sandbox those that it sees', async (t) => {
  const { url, headers, core } = await startFleet(t);
  const { token } = await makeSandbox(core, 'ci', [{ target: { group: 'pumps' }, actions: ['*'] }]);
  const count = async (authorization: string) =>
    NodesSummary.parse(await (await fetch(`${url}/api/v1/node-summary`, { headers: { authorization } })).json());

  assert.deepEqual(await count(headers.authorization), { total: 4, online: 1, offline: 1, never_seen: 2 });
  assert.deepEqual(await count(`Bearer ${token}`), { total: 2, online: 1, offline: 0, never_seen: 1 });
});

test('the first nodes are those that sorting the whole fleet would give', async (t) => {
  const { core, store } = await startTestCore(t);
  await enrollNode(core.services, 'pump-1');
  const [record] = (await loadRegistry(store, 'default')).all();
  assert.ok(record !== undefined);
  fc.assert(
    fc.property(fc.uniqueArray(fc.string({ maxLength: 3 }), { maxLength: 40 }), fc.nat(10), (names, count) => {
      const nodes = names.map((node) => ({ ...record, node }));
      const fits = ({ node }: { node: string }): boolean => node.length !== 1;
      const found = firstRecords({ all: () => nodes }, count + 1, fits).map(({ node }) => node);
      assert.deepEqual(
        found,
        names
          .filter((node) => fits({ node }))
          .sort()
          .slice(0, count + 1),
      );
    }),
  );
});

async function startFleet(t: TestScope) {
  const core = await startTestCore(t);
  const { services } = core.core;
  const at = { services, brokerUrl: core.brokerUrl };
  const south = { site: 'south' };
  await startScriptedAgent(t, { ...at, node: 'pump-1', script: { groups: ['pumps'], labels: south } });
  const gone = await startScriptedAgent(t, { ...at, node: 'valve-1', script: { labels: { ...south, tier: 'test' } } });
  await gone.goOffline();
  await until(async () => (await services.nodes.get('default', 'valve-1'))?.state === 'offline', { what: 'offline' });
  await enrollNode(services, 'Pump-2');
  await services.nodes.change(OWNER, 'Pump-2', { groups: ['pumps'] });
  await services.polling.createToken(OWNER, { node: 'poll-1', groups: [], labels: {} });
  await services.people.createUser(OWNER, { id: 'ann', role: 'viewer' });
  const { token } = await services.tokens.create({ ...OWNER }, { user: 'ann', name: 'test' });
  const { url } = await startTestHttp(t, services);
  const headers = { authorization: `Bearer ${token}` };
  const list = async (query: string): Promise<string[]> => {
    const answer = await fetch(`${url}${NODES}?${query}`, { headers });
    assert.equal(answer.status, 200, await answer.clone().text());
    return Page.parse(await answer.json()).items.map(({ node }) => node);
  };
  return { core, url, headers, list };
}
