import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { FetchedAction } from '../../../controller/http/polling-schemas.js';
import { invoke } from '../../support/asks.js';
import { OWNER } from '../../support/core.js';
import { type PollingInstallation, startPollingInstallation } from '../../support/polling.js';
import { createPassingClock, type TestClock } from '../../support/test-clock.js';

const NODE = 'kiosk-1';
const DONE = { status: 'success', exit_code: 0, stdout: '', stderr: '' } as const;
const MESSAGE = { action: 'message', parameters: { message: 'hi' } };

type Setting = PollingInstallation &
  Readonly<{
    clock: TestClock;
    token: string;
    /** Names of what a fetch gives, under a key or without one. */
    fetchNames: (key?: string) => Promise<string[]>;
    ack: (name: string, reason?: string) => Promise<number>;
    report: (name: string) => Promise<number>;
    /** Asks for a message; gives the invocation's id. */
    ask: () => Promise<string>;
    statusOf: (id: string) => Promise<string | undefined>;
  }>;

async function start(t: Parameters<typeof startPollingInstallation>[0]): Promise<Setting> {
  const clock = createPassingClock();
  const installation = await startPollingInstallation(t, { clock });
  const token = await installation.addNode(NODE);
  const { call, muster } = installation;
  const service = () => muster.core.services.invocations;
  return {
    ...installation,
    ...{ clock, token },
    async fetchNames(key) {
      const headers = key === undefined ? {} : { 'idempotency-key': key };
      const { body } = await call('GET', `/api/actions/pending?machine_id=${NODE}`, { token, headers });
      return z
        .object({ actions: z.array(FetchedAction) })
        .parse(body)
        .actions.map(({ action_id }) => action_id);
    },
    async ack(name, reason = '') {
      const body = { execution_id: name, status: reason === '' ? 'accepted' : 'rejected', reason };
      return (await call('POST', `/v1/nodes/${NODE}/executions/${name}/ack`, { token, body })).status;
    },
    async report(name) {
      const body = { action_id: name, status: 'done', result: '' };
      return (await call('POST', '/api/actions/report', { token, body })).status;
    },
    ask: () => invoke(service(), { nodes: [NODE] }, MESSAGE),
    statusOf: async (id) => (await service().execution('default', id, NODE))?.status,
  };
}

test('a node that got no answer repeats its key and gets the same actions, and what came since', async (t) => {
  const { fetchNames, ask } = await start(t);
  await ask();
  await ask();

  const lost = await fetchNames('poll-1');
  await ask();
  const again = await fetchNames('poll-1');

  assert.equal(lost.length, 2);
  assert.deepEqual(again.slice(0, 2), lost);
  assert.equal(again.length, 3);
});

test('another key, or none, says that the answer has arrived: nothing of it is given again', async (t) => {
  const { fetchNames, ask, statusOf } = await start(t);
  const first = await ask();
  await fetchNames('poll-1');
  const before = await statusOf(first);

  const next = await fetchNames('poll-2');
  const old = await fetchNames('poll-1');

  assert.deepEqual([before, await statusOf(first), next, old], ['sent', 'accepted', [], []]);
  const second = await ask();
  await fetchNames('poll-3');
  assert.deepEqual([await fetchNames(), await statusOf(second)], [[], 'accepted']);
});

test('what was reported or acked is not given again under the same key', async (t) => {
  const { fetchNames, ask, ack, report } = await start(t);
  for (let at = 0; at < 3; at += 1) await ask();
  const [one = '', two = '', three = ''] = await fetchNames('always');

  assert.equal(await report(one), 200);
  assert.equal(await ack(two), 204);

  assert.deepEqual(await fetchNames('always'), [three]);
});

test('the answer is lost and the controller starts anew: the same key still gives the same actions', async (t) => {
  const { ask, muster } = await start(t);
  const id = await ask();
  const caller = { node: NODE, org: 'default' };
  const lost = await muster.core.services.polling.fetch(caller, 'poll-1');

  await muster.stop();
  await muster.start();
  const { polling, invocations } = muster.core.services;
  const again = await polling.fetch(caller, 'poll-1');
  await polling.report(caller, lost[0]?.action_id ?? '', DONE);

  assert.equal(lost.length, 1);
  assert.deepEqual(again, lost);
  assert.equal((await invocations.execution('default', id, NODE))?.status, 'success');
});

test('without a key an answer that was lost ends as agent_lost; a report that comes late replaces that', async (t) => {
  const { fetchNames, ask, clock, muster, report } = await start(t);
  const { invocations } = muster.core.services;
  const id = await ask();
  const [name = ''] = await fetchNames();

  assert.deepEqual([await fetchNames(), await fetchNames('a-key')], [[], []]);
  clock.advance(91_000);
  await muster.core.sweep();
  const lost = await invocations.execution('default', id, NODE);
  const status = await report(name);
  const late = await invocations.execution('default', id, NODE);

  assert.deepEqual([lost?.status, lost?.error_code, lost?.provisional], ['error', 'agent_lost', true]);
  assert.deepEqual([status, late?.status, late?.provisional], [200, 'success', false]);
});

test('P-4, P-91: an ack is the leave to start, the same again is the same, and it is final', async (t) => {
  const { fetchNames, ask, ack, statusOf } = await start(t);
  const id = await ask();
  assert.equal(await ack('018f2a10-0000-7000-8000-000000000000'), 404);
  const [name = ''] = await fetchNames('poll-1');

  const answers = [await ack(name), await ack(name), await ack(name, 'actions_disabled')];

  assert.deepEqual(answers, [204, 204, 409]);
  assert.equal(await statusOf(id), 'accepted');
});

test('P-89: a rejection ends the execution with its reason, or puts it back when the reason passes', async (t) => {
  const { fetchNames, ask, ack, statusOf, muster } = await start(t);
  const [refused, full] = [await ask(), await ask()];
  const [one = '', two = ''] = await fetchNames();

  assert.deepEqual([await ack(one, 'unknown_action'), await ack(one, 'unknown_action')], [204, 204]);
  assert.equal(await ack(two, 'max_concurrent_reached'), 204);

  const execution = await muster.core.services.invocations.execution('default', refused, NODE);
  assert.deepEqual([execution?.status, execution?.reason], ['rejected', 'unknown_action']);
  assert.equal(await statusOf(full), 'queued');
  assert.deepEqual(await fetchNames(), [two]);
});

test('what was cancelled on its way gets no leave to start, whether it was fetched with a key or without', async (t) => {
  const { fetchNames, ask, ack, statusOf, muster } = await start(t);
  const { invocations } = muster.core.services;
  for (const key of ['poll-1', undefined]) {
    const id = await ask();
    const [name = ''] = await fetchNames(key);
    await invocations.cancel(OWNER, id, {});

    assert.deepEqual([await ack(name), await statusOf(id)], [409, 'cancelled'], key);
    assert.equal((await invocations.get('default', id))?.status, 'cancelled');
  }
});

test('what was cancelled after its answer was lost ends when the key comes again, and is not given again', async (t) => {
  const { fetchNames, ask, statusOf, muster } = await start(t);
  const id = await ask();
  await fetchNames('poll-1');

  await muster.core.services.invocations.cancel(OWNER, id, {});
  const before = await statusOf(id);
  const again = await fetchNames('poll-1');

  assert.deepEqual([before, again, await statusOf(id)], ['sent', [], 'cancelled']);
});

test('an action that waits is cancelled at once, and not given to anybody', async (t) => {
  const { fetchNames, ask, statusOf, muster } = await start(t);
  const id = await ask();

  await muster.core.services.invocations.cancel(OWNER, id, {});

  assert.deepEqual([await statusOf(id), await fetchNames()], ['cancelled', []]);
});

test('past its time an action gets no leave to start, is not given again, and a report still counts (promise 9)', async (t) => {
  const { fetchNames, ask, ack, clock, muster, report, statusOf } = await start(t);
  const id = await ask();
  const [name = ''] = await fetchNames('poll-1');

  clock.advance(24 * 3_600_000 + 2_000);
  const late = [await ack(name), await fetchNames('poll-1')];
  await muster.core.sweep();
  const swept = [await statusOf(id), await ack(name)];
  const reported = await report(name);

  assert.deepEqual(late, [410, []]);
  assert.deepEqual(swept, ['expired', 410]);
  assert.deepEqual([reported, await statusOf(id)], [200, 'success']);
});

test('each of many fetches at once gets actions that no other gets', async (t) => {
  const { fetchNames, ask } = await start(t);
  for (let at = 0; at < 25; at += 1) await ask();

  const given = await Promise.all(Array.from({ length: 6 }, () => fetchNames()));

  assert.equal(given.flat().length, 25);
  assert.equal(new Set(given.flat()).size, 25);
});
