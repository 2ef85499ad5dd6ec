import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InvocationsQuery } from '../../../controller/http/list-schemas.js';
import { InvocationAnswer } from '../../../controller/http/schemas.js';
import { ensureOwnerToken } from '../../../controller/identity/api-tokens.js';
import { toTime } from '../../../runtime/clock.js';
import { invoke } from '../../support/asks.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { startTestCore } from '../../support/core.js';
import { assertProblem, startTestHttp } from '../../support/http.js';
import { addManyResults } from '../../support/many-results.js';
import { PING, startScriptedAgent } from '../../support/scripted-agent.js';
import { createTestClock } from '../../support/test-clock.js';

const PONG = { ...PING, name: 'pong' };

test('invocations are narrowed by state, action, node and time, alone and together', async (t) => {
  const clock = createTestClock();
  const muster = await startTestCore(t, { clock });
  const { services } = muster.core;
  const { brokerUrl } = muster;
  await startScriptedAgent(t, { services, brokerUrl, node: 'a', script: { actions: [PING, PONG], runs: true } });
  await startScriptedAgent(t, { services, brokerUrl, node: 'b', script: { actions: [PING, PONG] } });
  const old = await invoke(services.invocations, { nodes: ['a'] });
  await services.invocations.whenDone('default', old, { ms: 5_000 });
  clock.advance(2_000);
  const sinceMs = clock.nowMs();
  const open = await invoke(services.invocations, { nodes: ['b'] });
  const both = await invoke(services.invocations, { fleet: true }, { action: 'pong' });
  const idsOf = async (query: Partial<InvocationsQuery>): Promise<string[]> =>
    (await services.invocations.list('default', { limit: 50, ...query })).items.map(({ id }) => id);

  assert.deepEqual(await idsOf({ status: ['completed'] }), [old]);
  assert.deepEqual(await idsOf({ status: ['completed', 'approved', 'executing'] }), [both, open, old]);
  assert.deepEqual(await idsOf({ action: 'pong' }), [both]);
  assert.deepEqual(await idsOf({ node: 'a' }), [both, old]);
  assert.deepEqual(await idsOf({ node: 'b' }), [both, open]);
  assert.deepEqual(await idsOf({ node: 'nobody' }), []);
  assert.deepEqual(await idsOf({ since: toTime(sinceMs) }), [both, open]);
  assert.deepEqual(await idsOf({ node: 'b', action: 'ping', since: toTime(sinceMs) }), [open]);
  const first = await services.invocations.list('default', { limit: 1, node: 'b' });
  assert.deepEqual(await idsOf({ node: 'b', cursor: first.next_cursor ?? '' }), [open]);
});

test('executions are narrowed by state', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const { brokerUrl } = muster;
  await startScriptedAgent(t, { services, brokerUrl, node: 'a', script: { runs: true } });
  await startScriptedAgent(t, { services, brokerUrl, node: 'b' });
  const id = await invoke(services.invocations, { nodes: ['a', 'b'] }, { batch: { size: 1, max_failed: 0 } });
  await services.invocations.whenDone('default', id, { ms: 1 });

  const held = await services.invocations.executions('default', id, { limit: 10, status: ['held', 'queued', 'sent'] });
  assert.equal(held?.items.at(-1)?.node, 'b');
  assert.deepEqual(
    (await services.invocations.executions('default', id, { limit: 10, status: ['expired'] }))?.items,
    [],
  );
});

test('broken cursors and unknown states are refused with 400, never guessed at', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'a' });
  const id = await invoke(services.invocations, { nodes: ['a'] });
  const { url } = await startTestHttp(t, services);
  const token = await ensureOwnerToken(muster.store, 'default', Date.now());
  const get = (path: string): Promise<Response> =>
    fetch(`${url}/api/v1/invocations${path}`, { headers: { authorization: `Bearer ${token}` } });
  const other = Buffer.from("' or 1=1 --").toString('base64url');

  for (const query of [
    'cursor=%00',
    `cursor=${other}`,
    'cursor=YWJj',
    'status=done',
    'status=',
    'status=failed,,expired',
  ]) {
    await assertProblem(await get(`?${query}`), 400, 'invalid_request');
  }
  for (const query of ['since=yesterday', 'action=../x', 'node=a%2Fb', 'limit=0', 'order=up', 'limit=1&limit=2']) {
    await assertProblem(await get(`?${query}`), 400, 'invalid_request');
  }
  for (const query of [`cursor=${other}`, 'group_by=node', 'group_by=outcome&cursor=YWJj', 'status=gone']) {
    await assertProblem(await get(`/${id}/executions?${query}`), 400, 'invalid_request');
  }
  assert.equal((await get('?status=completed,failed&action=ping&since=2026-01-01T00:00:00Z')).status, 200);
  assert.equal((await get(`/${id}/executions?group_by=outcome,output`)).status, 200);
  await assertRejectsCode(services.invocations.pending('default', { limit: 1, cursor: '*' }), 'invalid_request');
});

test('a page ends early when its nodes printed much, the next one goes on, and an answer then leaves them out', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });
  const id = await invoke(services.invocations, { nodes: ['pump-1'] });
  await agent.result(await agent.nextOffer());
  await services.invocations.whenDone('default', id, { ms: 10_000 });
  const much = '\u0001'.repeat(25_000); // six octets each as JSON
  await addManyResults(muster, id, 150, () => much);

  const sizes: number[] = [];
  const nodes: string[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await services.invocations.executions('default', id, { limit: 200, cursor });
    assert.ok(page);
    sizes.push(JSON.stringify(page.items).length);
    nodes.push(...page.items.map(({ node }) => node));
    if (page.next_cursor === null) break;
    cursor = page.next_cursor;
  }

  assert.ok(sizes.length > 1 && sizes.every((size) => size < 16e6), sizes.join(' '));
  assert.deepEqual([nodes.length, new Set(nodes).size], [151, 151]);
  await muster.store.write((tx) => tx.updateTable('invocations').set({ total: 151 }).where('id', '=', id).execute());
  const { url } = await startTestHttp(t, services);
  const headers = { authorization: `Bearer ${await ensureOwnerToken(muster.store, 'default', Date.now())}` };
  const answer = await (await fetch(`${url}/api/v1/invocations/${id}`, { headers })).json();
  assert.equal(InvocationAnswer.parse(answer).executions, undefined);
});

test('a page of invocations and of approvals ends early when what they name is long, and the next one goes on', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'a' });
  const target = JSON.stringify({ nodes: Array.from({ length: 10_000 }, (_, index) => `${'n'.repeat(56)}-${index}`) });
  const rows: string[] = [];
  for (let count = 0; count < 12; count += 1) rows.unshift(await invoke(services.invocations, { nodes: ['a'] }));
  await muster.store.write((tx) => tx.updateTable('invocations').set({ target }).execute());
  const pagesOf = async (read: (cursor: string | undefined) => ReturnType<typeof services.invocations.pending>) => {
    const pages: string[][] = [];
    let cursor: string | undefined;
    do {
      const page = await read(cursor);
      pages.push(page.items.map(({ id }) => id));
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
    return pages;
  };

  const listed = await pagesOf((cursor) => services.invocations.list('default', { limit: 50, cursor }));
  assert.ok(listed.length > 1);
  assert.deepEqual(listed.flat(), rows);

  await muster.store.write((tx) => tx.updateTable('invocations').set({ status: 'pending' }).execute());
  const pending = await pagesOf((cursor) => services.invocations.pending('default', { limit: 50, cursor }));
  assert.ok(pending.length > 1);
  assert.deepEqual(pending.flat(), rows.toReversed());
});
