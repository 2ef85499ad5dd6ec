import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from '../../cli/client.js';
import { ExecutionView, InvocationAnswer, type InvocationView, NodeView } from '../../controller/http/schemas.js';
import { startInstallation } from '../support/installation.js';
import { MARK, startLedgerFleet } from '../support/ledger-fleet.js';
import { until } from '../support/until.js';

const COUNT = 60;
const DEADLINE_MS = 120_000;

test('S-M-4: when a fleet returns, what has not expired starts once on each node, and what has expired never does (promises 3, 4, 5, 9)', async (t) => {
  const { url, client, broker } = await startInstallation(t, { agents: 0 });
  const fleet = await startLedgerFleet(t, { url, client, count: COUNT });
  const away = fleet.nodes.slice(COUNT / 3);
  const expiring = away.slice(0, COUNT / 3);
  await fleet.leave(away);
  await until(async () => (await onlineOf(client)) === COUNT - away.length, { what: 'two thirds are away' });

  const order = await ask(client, { target: { fleet: true } });
  const toExpire = await ask(client, { target: { nodes: expiring }, expires_in: '2s' });
  const expired = await endOf(client, toExpire.id);
  const back = fleet.come(away);
  await until(() => fleet.ledger().length > 2 * (COUNT - away.length), {
    what: 'the first that returned',
    deadlineMs: DEADLINE_MS,
  });
  await broker.stop();
  await broker.start();
  await back;
  const done = await endOf(client, order.id);

  assert.deepEqual([expired.status, expired.counts.expired], ['expired', expiring.length]);
  assert.deepEqual([done.status, done.counts.success], ['completed', COUNT]);
  const executions = await client.list(ExecutionView, { path: `/invocations/${order.id}/executions` });
  const executionIds = new Set(executions.map((each) => each.execution_id));
  assert.equal(executionIds.size, 1); // one broadcast, for those that were there and those that were not
  const starts = fleet.ledger().filter(({ act }) => act === 'begin');
  assert.deepEqual(starts.map(({ node }) => node).sort(), fleet.nodes);
  assert.ok(starts.every(({ executionId }) => executionIds.has(executionId)));
});

async function ask(client: Client, body: Readonly<Record<string, unknown>>): Promise<InvocationView> {
  const call = { method: 'POST', path: '/invocations', body: { action: MARK, confirm: true, ...body } } as const;
  return (await client.call(InvocationAnswer, call)).invocation;
}

async function endOf(client: Client, id: string): Promise<InvocationView> {
  return until(
    async () => {
      const { invocation } = await client.call(InvocationAnswer, { path: `/invocations/${id}`, waitSeconds: 5 });
      return invocation.completed_at === null ? undefined : invocation;
    },
    { what: `the end of ${id}`, deadlineMs: DEADLINE_MS },
  );
}

async function onlineOf(client: Client): Promise<number> {
  return (await client.list(NodeView, { path: '/nodes' })).filter(({ state }) => state === 'online').length;
}
