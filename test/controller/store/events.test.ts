import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Event } from '../../../controller/http/event-schemas.js';
import { deleteOldEvents, findEventHead, readEvents } from '../../../controller/store/events.js';
import { openStore, type Store } from '../../../controller/store/store.js';
import { storePlace } from '../../support/store-place.js';

const online = (node: string): Event => ({ type: 'node', node, change: 'online' });

test('ids follow each other in the order of commits, whoever tells', async (t) => {
  const store = await open(t);

  await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      store.write(async (tx) => {
        tx.tell({ org: 'default', event: online(`n${index}`) });
        if (index % 2 === 0) tx.tell({ org: 'default', event: online(`n${index}-again`) });
      }),
    ),
  );

  const told = await all(store);
  assert.equal(await findEventHead(store.read), 75);
  assert.deepEqual(
    told.map(({ id }) => id),
    Array.from({ length: 75 }, (_, index) => index + 1),
  );
  assert.deepEqual(told.slice(0, 3).map(nodeOf), ['n0', 'n0-again', 'n1']);
});

test('what a write told that failed is told by nobody, and its neighbours tell once', async (t) => {
  const store = await open(t);

  await Promise.allSettled([
    store.write(async (tx) => tx.tell({ org: 'default', event: online('a') })),
    store.write(async (tx) => {
      tx.tell({ org: 'default', event: online('b') });
      throw new Error('changed its mind');
    }),
    store.write(async (tx) => tx.tell({ org: 'default', event: online('c') })),
  ]);

  assert.deepEqual((await all(store)).map(nodeOf), ['a', 'c']);
  assert.equal(await findEventHead(store.read), 2);
});

test('listeners are called after the commit that told of something, and after no other', async (t) => {
  const store = await open(t);
  const heads: Promise<number>[] = [];
  const stopListening = store.onEvents(() => void heads.push(findEventHead(store.read)));

  await store.write((tx) => tx.insertInto('meta').values({ key: 'a', value: '1' }).execute());
  await store.write(async (tx) => tx.tell({ org: 'default', event: online('a') }));
  assert.deepEqual(await Promise.all(heads), [1]);
  stopListening();
  await store.write(async (tx) => tx.tell({ org: 'default', event: online('b') }));

  assert.equal(heads.length, 1);
});

test('each org has rows of its own, and rows are ended where they become long', async (t) => {
  const store = await open(t);
  const reason = 'x'.repeat(100_000);
  const execution = {
    type: 'execution',
    invocation_id: 'i',
    execution_id: 'e',
    node: 'n',
    status: 'rejected',
  } as const;
  const flags = { error_code: null, unreachable: false, cancelling: false, provisional: false };

  await store.write(async (tx) => {
    for (const org of ['one', 'one', 'two', 'one']) tx.tell({ org, event: { ...execution, reason, ...flags } });
    for (let count = 0; count < 1_200; count += 1) tx.tell({ org: 'two', event: online('n') });
  });

  const rows = await readEvents(store.read, 0);
  assert.deepEqual(
    rows.map(({ org, firstId, lastId }) => [org, firstId, lastId]),
    [
      ['one', 1, 2],
      ['two', 3, 3],
      ['one', 4, 4],
      ['two', 5, 504],
      ['two', 505, 1004],
      ['two', 1005, 1204],
    ],
  );
});

test('old events are forgotten by number and by age', async (t) => {
  const store = await open(t);
  for (let count = 0; count < 5; count += 1) {
    await store.write(async (tx) => tx.tell({ org: 'default', event: online(`n${count}`) }));
  }

  await store.write((tx) => deleteOldEvents(tx, { upToId: 2, beforeMs: 0 }));
  assert.deepEqual((await all(store)).map(nodeOf), ['n2', 'n3', 'n4']);
  await store.write((tx) => deleteOldEvents(tx, { upToId: 0, beforeMs: Date.now() + 1_000 }));
  assert.deepEqual(await all(store), []);

  await store.write(async (tx) => tx.tell({ org: 'default', event: online('next') }));
  assert.deepEqual(
    (await all(store)).map(({ id }) => id),
    [6],
  );
});

async function open(t: TestContext): Promise<Store> {
  const store = await openStore(await storePlace(t));
  t.after(store.close);
  return store;
}

async function all(store: Store): Promise<{ id: number; event: { node?: string } }[]> {
  const rows = await readEvents(store.read, 0);
  return rows.flatMap(({ firstId, body }) =>
    JSON.parse(body).map((event: { node?: string }, index: number) => ({ id: firstId + index, event })),
  );
}

function nodeOf({ event }: { event: { node?: string } }): string | undefined {
  return event.node;
}
