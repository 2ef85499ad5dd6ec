import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Result } from '../../../protocol/messages/result.js';
import { invoke } from '../../support/asks.js';
import { auditRows } from '../../support/audit-rows.js';
import type { TestScope } from '../../support/broker.js';
import { OWNER, startTestCore, type TestCore } from '../../support/core.js';
import { type ScriptedAgent, startScriptedAgent } from '../../support/scripted-agent.js';
import { createTestClock, type TestClock } from '../../support/test-clock.js';
import { until } from '../../support/until.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

test('what is older than retention_age goes with all that hangs on it, and the trail says so', async (t) => {
  const { muster, clock, run } = await startSite(t);
  const id = await run();
  clock.advance(89 * DAY_MS);
  await muster.core.tidy();
  assert.equal((await muster.core.services.invocations.get('default', id))?.status, 'completed');

  clock.advance(2 * DAY_MS);
  await muster.core.tidy();

  for (const table of ['invocations', 'executions', 'requests', 'results', 'outputs'] as const) {
    assert.equal((await muster.store.read.selectFrom(table).selectAll().execute()).length, 0, table);
  }
  const [row] = await auditRows(muster.store, 'invocation_removed');
  assert.equal(row?.subject, `invocation:${id}`);
  assert.deepEqual((await muster.core.services.audit.verify({})).findings, []);
});

test('beyond retention_count the oldest go, once their nodes are done with them', async (t) => {
  const { muster, clock, run } = await startSite(t, { retention_count: 2 });
  const ids = [await run(), await run(), await run(), await run()];
  await muster.core.tidy();
  assert.equal((await list(muster)).length, 4, 'within a day of their expiry all stay');

  clock.advance(49 * HOUR_MS);
  await muster.core.tidy();

  assert.deepEqual(await list(muster), ids.slice(2));
});

test('what is open, or may still be told of by its node, stays whatever its age', async (t) => {
  const { muster, clock, agent, run } = await startSite(t, { retention_count: 1 });
  const { invocations } = muster.core.services;
  const open = await invoke(invocations, { nodes: ['pump-1'] }, { expires_in: '160h' });
  await agent.ack(await agent.nextOffer());
  const incomplete = await run({ chunks: 3 });
  const lost = await invoke(invocations, { nodes: ['pump-1'] }, { expires_in: '1h' });
  await agent.nextOffer();
  const newest = await run();
  clock.advance(2 * HOUR_MS);
  await until(async () => (await invocations.get('default', lost))?.status === 'expired', { what: 'one expires' });

  clock.advance(3 * DAY_MS);
  await muster.core.tidy();
  assert.deepEqual(await list(muster), [open, incomplete, lost, newest]);

  clock.advance(32 * DAY_MS);
  await muster.core.sweep();
  await muster.core.tidy();
  assert.deepEqual(await list(muster), [open, newest], 'after 31 days nodes have nothing left');
  assert.deepEqual((await muster.core.services.audit.verify({})).findings, []);
});

test('old rows of the audit trail go, what is left verifies, and nobody can let go of more than the trail says', async (t) => {
  const { muster, clock, run } = await startSite(t, { audit_retention_age: '240h' });
  await run();
  const before = (await muster.store.read.selectFrom('audit').selectAll().execute()).length;
  clock.advance(11 * DAY_MS);
  await muster.core.services.nodes.change(OWNER, 'pump-1', { groups: ['later'] });
  const { head } = await muster.core.services.audit.verify({});

  await muster.core.tidy();
  await muster.core.tidy();

  const rows = await muster.store.read.selectFrom('audit').select(['seq', 'event']).orderBy('seq').execute();
  assert.deepEqual(
    rows.map(({ event }) => event),
    ['node_changed', 'audit_cut'],
  );
  assert.equal(rows[0]?.seq, before + 1);
  assert.ok(head !== null);
  assert.deepEqual((await muster.core.services.audit.verify({ kept: head })).findings, []);
  await muster.store.write((tx) => tx.deleteFrom('audit').where('event', '=', 'node_changed').execute());
  assert.match(
    JSON.stringify((await muster.core.services.audit.verify({})).findings),
    /rows are missing before it, and no row says that they were let go/,
  );
});

test('a broadcast to many nodes with output goes in steps, between which others write', async (t) => {
  const { muster, clock, run } = await startSite(t);
  const id = await run();
  await addNodes(muster, id, 3_000);
  clock.advance(91 * DAY_MS);

  let others = 0;
  let isDone = false;
  const tidied = muster.core.tidy().finally(() => {
    isDone = true;
  });
  while (!isDone) {
    await muster.store.write(async () => undefined);
    others += 1;
  }
  await tidied;

  assert.equal((await muster.store.read.selectFrom('executions').selectAll().execute()).length, 0);
  assert.equal((await muster.store.read.selectFrom('outputs').selectAll().execute()).length, 0);
  assert.ok(others > 20, `${others} writes came between`);
});

type Site = Readonly<{
  muster: TestCore;
  clock: TestClock;
  agent: ScriptedAgent;
  /** An invocation with a result; gives its id. */
  run: (changes?: Partial<Result>) => Promise<string>;
}>;

async function startSite(t: TestScope, config: Readonly<Record<string, unknown>> = {}): Promise<Site> {
  const clock = createTestClock();
  const muster = await startTestCore(t, { clock, config });
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });
  return {
    ...{ muster, clock, agent },
    async run(changes = {}) {
      const id = await invoke(services.invocations, { nodes: ['pump-1'] });
      await agent.result(await agent.nextOffer(), changes);
      await services.invocations.whenDone('default', id, { ms: 10_000 });
      clock.advance(1);
      return id;
    },
  };
}

async function list({ store }: TestCore): Promise<string[]> {
  const rows = await store.read.selectFrom('invocations').select('id').orderBy('id').execute();
  return rows.map(({ id }) => id);
}

/** As many executions of it, each with a result and some output. */
async function addNodes({ store }: TestCore, id: string, count: number): Promise<void> {
  const execution = await store.read.selectFrom('executions').selectAll().executeTakeFirstOrThrow();
  const result = await store.read.selectFrom('results').selectAll().executeTakeFirstOrThrow();
  const row = await store.read.selectFrom('nodes').selectAll().executeTakeFirstOrThrow();
  await store.write(async (tx) => {
    for (let index = 0; index < count; index += 1) {
      const node = `many-${index}`;
      await tx
        .insertInto('nodes')
        .values({ ...row, node, kid: node })
        .execute();
      await tx
        .insertInto('executions')
        .values({ ...execution, node })
        .execute();
      await tx
        .insertInto('results')
        .values({ ...result, node })
        .execute();
      const piece = { stream: 'stdout', offset: 0, data: 'x'.repeat(1_000), encoding: 'utf-8', last: 0, seq: 0 };
      await tx
        .insertInto('outputs')
        .values({ ...piece, execution_id: execution.execution_id, node })
        .execute();
    }
    await tx
      .updateTable('invocations')
      .set({ total: count + 1 })
      .where('id', '=', id)
      .execute();
  });
}
