import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient } from '../../cli/client.js';
import { readConnection } from '../../cli/installation.js';
import { ExecutionView, InvocationAnswer, type InvocationView } from '../../controller/http/schemas.js';
import { isMusterError } from '../../protocol/errors.js';
import { createCoreParts } from '../faults/rig/core-parts.js';
import { type LedgerFleet, MARK, startLedgerFleet } from '../support/ledger-fleet.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const SIZE = 2;
const KILLS = 5;
const DEADLINE_MS = 120_000;

test('a rollout goes on where it was after any kill -9 of the controller: in order, one batch at a time, each node once (promises 1, 4, 5)', async (t) => {
  const directory = temporaryDirectory(t);
  const {
    broker,
    controllers: [controller],
    controllerDir,
  } = await createCoreParts({}, { directory, logs: directory });
  t.after(async () => {
    for (const part of [controller, broker]) await part.kill('SIGKILL');
  });
  await broker.start();
  await controller.start();
  const connection = readConnection(controllerDir);
  const client = createClient(connection);
  const fleet = await startLedgerFleet(t, { url: connection.url, client, count: 10, seconds: 0.3 });
  const body = { action: MARK, target: { fleet: true }, confirm: true, batch: { size: SIZE, pause: '200ms' } };
  const { invocation } = await client.call(InvocationAnswer, { method: 'POST', path: '/invocations', body });

  for (let kill = 0; kill < KILLS; kill += 1) {
    // Each time at another moment of a batch: as it begins, while it runs, as it ends, in the pause.
    const reached = 2 + kill * 3;
    await until(() => fleet.ledger().length >= reached, { what: `${reached} marks`, deadlineMs: DEADLINE_MS });
    await controller.kill('SIGKILL');
    await controller.start();
  }
  const done = await until(() => endOf(invocation.id), { what: 'the end', deadlineMs: DEADLINE_MS });

  assert.deepEqual([done.status, done.counts.success, done.batch?.begun], ['completed', 10, 5]);
  const executions = await client.list(ExecutionView, { path: `/invocations/${invocation.id}/executions` });
  assertOneBatchAtATime(fleet, new Map(executions.map(({ node, batch }) => [node, batch ?? 0])));

  async function endOf(id: string): Promise<InvocationView | undefined> {
    try {
      const answer = await client.call(InvocationAnswer, { path: `/invocations/${id}`, waitSeconds: 5 });
      return answer.invocation.completed_at === null ? undefined : answer.invocation;
    } catch (error) {
      if (isMusterError(error, 'unavailable')) return undefined;
      throw error;
    }
  }
});

/** By what the hooks themselves wrote. */
function assertOneBatchAtATime({ ledger, nodes }: LedgerFleet, batchOf: ReadonlyMap<string, number>): void {
  const marks = ledger();
  const starts = marks.filter(({ act }) => act === 'begin').map(({ node }) => node);
  assert.deepEqual([...starts].sort(), nodes);
  assert.deepEqual(
    starts.map((node) => batchOf.get(node)),
    [1, 1, 2, 2, 3, 3, 4, 4, 5, 5],
  );
  let running = 0;
  for (const { act } of marks) {
    running += act === 'begin' ? 1 : -1;
    assert.ok(running <= SIZE);
  }
  const inOrder = marks.map(({ node }) => batchOf.get(node) ?? 0);
  assert.deepEqual(
    inOrder,
    [...inOrder].sort((a, b) => a - b),
  );
}
