import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CompiledQuery, createQueryId, type RootOperationNode } from 'kysely';
import { findOverdue } from '../../../controller/invocations/expire-pending.js';
import { openOf } from '../../../controller/polling/hand-out.js';
import { findCutoff, findRemovable } from '../../../controller/retention/removable.js';
import type { Queries } from '../../../controller/store/database.js';
import { deleteOldEvents } from '../../../controller/store/events.js';
import { findInvocations } from '../../../controller/store/invocation-lists.js';
import { openStore } from '../../../controller/store/store.js';
import type { TestScope } from '../../support/broker.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const PAGE = { org: 'default', before: undefined, limit: 51 };
const SINCE = '2026-11-21T12:00:00.000Z';

/** Every way in which people narrow the list of invocations, and what runs each hour or minute. */
const OFTEN: Readonly<Record<string, (queries: Queries) => Promise<unknown>>> = {
  'A-30, F-17: all invocations': (read) => findInvocations(read, PAGE),
  'the next page': (read) => findInvocations(read, { ...PAGE, before: '01970000-0000-7000-8000-000000000000' }),
  'invocations in a state': (read) => findInvocations(read, { ...PAGE, status: ['failed'] }),
  'invocations in one of two states': (read) => findInvocations(read, { ...PAGE, status: ['denied', 'expired'] }),
  'invocations of an action': (read) => findInvocations(read, { ...PAGE, action: 'ping' }),
  'invocations of an action in a state': (read) =>
    findInvocations(read, { ...PAGE, action: 'ping', status: ['denied'] }),
  'invocations since a time': (read) => findInvocations(read, { ...PAGE, since: SINCE }),
  'invocations in a state since a time': (read) =>
    findInvocations(read, { ...PAGE, since: SINCE, status: ['failed', 'denied'] }),
  'invocations on a node': (read) => findInvocations(read, { ...PAGE, node: 'pump-1' }),
  'invocations on a node in a state': (read) =>
    findInvocations(read, { ...PAGE, node: 'pump-1', status: ['failed'], action: 'ping', since: SINCE }),
  'A-29: what one sandbox asked for': (read) => findInvocations(read, { ...PAGE, created_by: 'sandbox:x' }),
  'what one sandbox asked for, in a state': (read) =>
    findInvocations(read, { ...PAGE, created_by: 'sandbox:x', status: ['pending', 'denied'], since: SINCE }),
  'what may be let go of': async (read) => {
    const limits = { ageMs: 1_000, count: 100_000 };
    await findRemovable(read, await findCutoff(read, { org: 'default', nowMs: Date.now(), limits }), '');
  },
  'A-31: asks that nobody approved in time': (read) => findOverdue(read, { org: 'default', nowMs: Date.now() }),
  'events to forget': (read) => deleteOldEvents(read, { upToId: 10, beforeMs: 0 }),
};

for (const [what, run] of Object.entries(OFTEN)) {
  test(`${what}: read in order from an index, and not sorted or searched row by row`, async (t) => {
    const plans = await plansOf(t, run);

    assert.ok(plans.length > 0);
    // Of each state no more than a page is put together with those of the others.
    const slow = /TEMP B-TREE FOR ORDER BY|^SCAN (?!events|of_state)/m;
    for (const { sql, plan } of plans) assert.doesNotMatch(plan, slow, sql);
  });
}

test('a list that is narrowed to states reads each of them by itself, and all in one statement', async (t) => {
  const plans = await plansOf(t, (read) => findInvocations(read, { ...PAGE, action: 'ping' }));

  const whole = plans.at(-1)?.plan ?? '';
  assert.equal(whole.match(/invocations_by_action \(org=\? AND action=\? AND status=\?\)/g)?.length, 8);
});

test('F-16: what a node that polls is given is found by the node and its state', async (t) => {
  const plans = await plansOf(t, (read) => openOf(read, 'kiosk-1', 'queued').execute());

  assert.match(plans[0]?.plan ?? '', /executions_open_by_node \(node=\? AND status=\?\)/);
});

/** What SQLite would do for each query that `run` makes, one step to a line; the parts of a query come before it. */
async function plansOf(t: TestScope, run: (queries: Queries) => Promise<unknown>) {
  const store = await openStore(temporaryDirectory(t));
  t.after(store.close);
  const nodes: RootOperationNode[] = [];
  const watched = store.read.withPlugin({
    transformQuery({ node }) {
      nodes.push(node);
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  await run(watched);
  return Promise.all(
    nodes.map(async (node) => {
      const { sql, parameters } = store.read.getExecutor().compileQuery(node, createQueryId());
      const { rows } = await store.read.executeQuery<{ detail: string }>(
        CompiledQuery.raw(`explain query plan ${sql}`, [...parameters]),
      );
      return { sql, plan: rows.map(({ detail }) => detail).join('\n') };
    }),
  );
}
