import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExecutionGroupView, ExecutionsQuery } from '../../../controller/http/list-schemas.js';
import { sha256Hex } from '../../../protocol/envelope.js';
import type { Result } from '../../../protocol/messages/result.js';
import { invoke } from '../../support/asks.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import type { TestScope } from '../../support/broker.js';
import { startTestCore, type TestCore } from '../../support/core.js';
import { addManyResults } from '../../support/many-results.js';
import { type ScriptedAgent, startScriptedAgent } from '../../support/scripted-agent.js';
import { until } from '../../support/until.js';

const FLEET = { fleet: true } as const;

test('like results stand once, with how many there are, the first nodes and a sample', async (t) => {
  const { muster, id, agents } = await askFleet(t, ['a', 'b', 'c', 'd', 'e']);
  const ends = [printed('fine\n'), printed('fine\n'), failed('bad\n'), printed('else\n')];
  for (const [index, changes] of ends.entries()) await answer(agents[index], changes);
  await ended(muster, id, 4);

  const byOutput = await groupsOf(muster, id, { group_by: 'outcome,output' });
  assert.deepEqual(
    byOutput.map(({ status, exit_code, count, nodes, sample }) => [status, exit_code, count, nodes, sample.stdout]),
    [
      ['success', 0, 2, ['a', 'b'], 'fine\n'],
      ['failed', 3, 1, ['c'], 'bad\n'],
      ['success', 0, 1, ['d'], 'else\n'],
      ['sent', null, 1, ['e'], null],
    ],
  );
  const byOutcome = await groupsOf(muster, id, { group_by: 'outcome' });
  assert.deepEqual(
    byOutcome.map(({ status, count, nodes, output_sha256 }) => [status, count, nodes, output_sha256]),
    [
      ['success', 3, ['a', 'b', 'd'], null],
      ['failed', 1, ['c'], null],
      ['sent', 1, ['e'], null],
    ],
  );
  const narrowed = await groupsOf(muster, id, { group_by: 'outcome,output', status: ['failed', 'sent'] });
  assert.deepEqual(
    narrowed.map(({ nodes }) => nodes),
    [['c'], ['e']],
  );
});

test('error codes are kept apart, whether a node said them or the controller', async (t) => {
  const { muster, id, agents } = await askFleet(t, ['a', 'b', 'c']);
  const error = (error_code: string): Partial<Result> => ({ status: 'error', exit_code: -1, error_code, error: 'why' });
  await answer(agents[0], error('start_failed'));
  await answer(agents[1], error('internal'));
  const third = agents[2];
  assert.ok(third);
  await third.ack(await third.nextOffer());
  await ended(muster, id, 2);
  await third.hello({ process_id: '018f2a10-0000-4000-8000-000000000001', connection: 1, journal_epoch: null });
  await ended(muster, id, 3);

  const groups = await groupsOf(muster, id, { group_by: 'outcome' });
  assert.deepEqual(
    groups.map(({ error_code, nodes }) => [error_code, nodes]),
    [
      ['start_failed', ['a']],
      ['internal', ['b']],
      ['journal_lost', ['c']],
    ],
  );
});

test('a long output is cut in a sample, and never in the middle of a character', async (t) => {
  const { muster, id, agents } = await askFleet(t, ['a', 'b']);
  const long = `${'x'.repeat(4095)}\u{1f600}${'y'.repeat(100)}`;
  for (const agent of agents) await answer(agent, printed(long));
  await ended(muster, id, 2);

  const [group] = await groupsOf(muster, id, { group_by: 'outcome,output' });
  assert.equal(group?.sample.stdout, 'x'.repeat(4095));
  assert.equal(group.sample.stdout_bytes, Buffer.byteLength(long));
});

test('ten thousand executions come as pages of groups, each node in one of them', async (t) => {
  const { muster, id } = await askFleet(t, ['a', 'b']);
  await addManyResults(muster, id, 10_000);

  const [first, second] = await groupsOf(muster, id, { group_by: 'outcome' });
  assert.deepEqual([first?.count, first?.nodes.length, first?.nodes[0]], [10_000, 8, 'node-00000']);
  assert.deepEqual([second?.status, second?.count], ['sent', 2]);

  const counts: number[] = [];
  let cursor: string | undefined;
  do {
    const query = { limit: 40, cursor, group_by: 'outcome,output' as const };
    const page = await muster.core.services.invocations.executionGroups('default', id, query);
    assert.ok(page && page.items.length <= 40);
    counts.push(...page.items.map(({ count }) => count));
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  // 100 outputs of 100 nodes each, and the two nodes that have not answered
  assert.deepEqual(counts, [...Array.from({ length: 100 }, () => 100), 2]);
});

test('a broken cursor is refused, and an invocation of nobody is not there', async (t) => {
  const { muster, id } = await askFleet(t, ['a', 'b']);
  const { invocations } = muster.core.services;
  for (const cursor of ['!', 'eA', Buffer.from('5').toString('base64url'), Buffer.from('a/b').toString('base64url')]) {
    const query = { limit: 10, cursor, group_by: 'outcome' as const };
    await assertRejectsCode(invocations.executionGroups('default', id, query), 'invalid_request');
  }
  assert.equal(await invocations.executionGroups('other', id, { limit: 10, group_by: 'outcome' }), undefined);
});

async function askFleet(
  t: TestScope,
  nodes: readonly string[],
): Promise<{ muster: TestCore; id: string; agents: readonly ScriptedAgent[] }> {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const agents = await Promise.all(
    nodes.map((node) => startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node })),
  );
  const id = await invoke(services.invocations, FLEET);
  await until(async () => (await services.invocations.get('default', id))?.counts.sent === nodes.length, {
    what: 'all offers',
  });
  return { muster, id, agents };
}

async function answer(agent: ScriptedAgent | undefined, changes: Partial<Result>): Promise<void> {
  assert.ok(agent);
  await agent.result(await agent.nextOffer(), changes);
}

function printed(stdout: string): Partial<Result> {
  return { stdout, stdout_bytes: Buffer.byteLength(stdout), stdout_sha256: sha256Hex(stdout) };
}

function failed(stdout: string): Partial<Result> {
  return { status: 'failed', exit_code: 3, ...printed(stdout) };
}

async function ended({ core }: TestCore, id: string, count: number): Promise<void> {
  const openNow = async (): Promise<number> => {
    const { sent = 0, accepted = 0, total = 0 } = (await core.services.invocations.get('default', id))?.counts ?? {};
    return total - sent - accepted;
  };
  await until(async () => (await openNow()) === count, { what: `${count} ends` });
}

async function groupsOf(
  { core }: TestCore,
  id: string,
  query: Pick<ExecutionsQuery, 'status'> & { group_by: 'outcome' | 'outcome,output' },
): Promise<readonly ExecutionGroupView[]> {
  return (await core.services.invocations.executionGroups('default', id, { limit: 50, ...query }))?.items ?? [];
}
