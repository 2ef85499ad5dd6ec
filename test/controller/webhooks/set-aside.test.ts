import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { findWebhookEventsAside } from '../../../controller/store/webhooks.js';
import { HOLD_MS, startDeliveries } from '../../../controller/webhooks/deliveries.js';
import type { Post } from '../../../controller/webhooks/post.js';
import { MOST_ASIDE, openSetAside } from '../../../controller/webhooks/set-aside.js';
import { GIVE_UP_MS } from '../../../controller/webhooks/tell.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { startTestCore, type TestCore } from '../../support/core.js';
import { until } from '../../support/until.js';

const WEBHOOK = { name: 'pager', events: ['action_completed' as const] };

test('a message that its receiver refuses waits aside while later ones go on in their order, and is told again, also after a restart', async (t) => {
  const { muster, taken, refuse, follow } = await startSite(t);
  const stop = await follow();
  refuse((count) => count === 0);
  await tellOf(muster, 3);
  await until(() => taken.length === 2, { what: 'the later messages' });
  await stop();
  refuse(() => false);

  const stopAgain = await follow();
  await until(() => taken.length === 3, { what: 'the one that was refused' });

  assert.deepEqual(
    taken.map(({ index }) => index),
    [1, 2, 0],
  );
  await until(async () => (await asideIn(muster)) === 0, { what: 'nothing waits aside' });
  await stopAgain();
});

test('a receiver that is away holds up its messages, which keep their order', async (t) => {
  const { muster, taken, refuse, follow, tries } = await startSite(t);
  const stop = await follow();
  refuse(() => true, 'failed');
  await tellOf(muster, 2);
  await until(() => tries() >= 5, { what: 'five tries' });
  assert.equal(await asideIn(muster), 0);
  refuse(() => false);

  await until(() => taken.length === 2, { what: 'both' });

  assert.deepEqual(
    taken.map(({ index }) => index),
    [0, 1],
  );
  await stop();
});

test('at most a thousand wait aside, more than a day of a receiver that is away brings: of more the oldest is given up on, and counted', async (t) => {
  const { muster, deps, lost } = await startSite(t);
  const { name } = WEBHOOK;
  const almostAll = Array.from({ length: MOST_ASIDE - 1 }, (_, index) => ({ name, event_id: index + 1 }));
  await muster.store.write((tx) => tx.insertInto('webhooks_set_aside').values(almostAll).execute());
  const aside = await openSetAside(deps, { name, tell: async () => 'refused' });

  for (let id = MOST_ASIDE; id <= MOST_ASIDE + 3; id += 1) await aside.add(id);

  assert.equal(lost(), 3);
  const [oldest] = await findWebhookEventsAside(muster.store.read, name);
  assert.deepEqual([oldest, await asideIn(muster)], [4, MOST_ASIDE]);
  assert.deepEqual(
    await lossesIn(muster),
    [1, 2, 3].map((event) => ['webhook:pager', { why: 'too_many_set_aside', event }]),
  );
  assert.ok(MOST_ASIDE > GIVE_UP_MS / HOLD_MS);
});

/** Events whose `error` is their place, from 0. */
async function tellOf({ store }: TestCore, count: number): Promise<void> {
  await store.write(async (tx) => {
    for (let index = 0; index < count; index += 1) {
      const event = { type: 'action_completed', invocationId: `0-${index}`, status: 'failed' } as const;
      tx.tell({ org: 'default', event: { ...event, error: String(index) } });
    }
  });
}

/** What the audit trail says of events that a webhook is never told of. */
async function lossesIn({ store }: TestCore): Promise<unknown[]> {
  const rows = await store.read.selectFrom('audit').selectAll().where('event', '=', 'webhook_events_lost').execute();
  return rows.map(({ subject, details }) => [subject, JSON.parse(details)]);
}

async function asideIn({ store }: TestCore): Promise<number> {
  return (await store.read.selectFrom('webhooks_set_aside').selectAll().execute()).length;
}

/** A webhook without pauses between tries, whose receiver refuses what a test says. */
async function startSite(t: TestContext) {
  const muster = await startTestCore(t);
  const taken: { index: number }[] = [];
  let isRefused: (index: number) => boolean = () => false;
  let how: 'refused' | 'failed' = 'refused';
  let [tries, lost] = [0, 0];
  const post: Post = async ({ body }) => {
    const index = Number(Object(JSON.parse(body)).error);
    tries += 1;
    if (isRefused(index)) return { kind: how, why: 'answered 400' };
    taken.push({ index });
    return { kind: 'delivered' };
  };
  const metrics = {
    webhook(result: string) {
      if (result === 'lost') lost += 1;
    },
  };
  const log = createLogger('controller', { level: 'silent' });
  const { store } = muster;
  const deps = { store, metrics, clock: SYSTEM_CLOCK, log, random: () => 0, org: 'default' };
  const follow = async () => {
    const stop = startDeliveries(deps, WEBHOOK, post);
    t.after(stop);
    const isKnown = async () => (await store.read.selectFrom('webhook_positions').selectAll().execute()).length === 1;
    await until(isKnown, { what: 'the webhook is known' });
    return stop;
  };
  return {
    ...{ muster, deps, taken, follow, tries: () => tries, lost: () => lost },
    refuse(which: (index: number) => boolean, as: typeof how = 'refused') {
      isRefused = which;
      how = as;
    },
  };
}
