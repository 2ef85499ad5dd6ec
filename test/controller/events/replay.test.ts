import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { createEventRetention } from '../../../controller/events/retention.js';
import { deleteOldEvents } from '../../../controller/store/events.js';
import { openStore } from '../../../controller/store/store.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { startTestLog } from '../../support/event-log.js';
import { openEvents, openWebSocket, type TestStream } from '../../support/events.js';
import { assertProblem } from '../../support/http.js';
import { runnable } from '../../support/runnable.js';
import { storePlace } from '../../support/store-place.js';
import { until } from '../../support/until.js';

test('a stream that comes back gets what it missed, once, and then what is new', async (t) => {
  const log = await startTestLog(t);
  const before = await openEvents(t, log);
  await log.tell('a', 'b', 'c');
  await before.next('node', '"c"');
  before.close();
  await log.tell('d', 'e');

  const byHeader = await openEvents(t, { ...log, headers: { 'last-event-id': '2' } });
  const byQuery = await openWebSocket(t, { ...log, query: '?after=2' });
  await byQuery.next('node', '"e"');
  await log.tell('f');

  for (const stream of [byHeader, byQuery]) {
    await stream.next('node', '"f"');
    assert.deepEqual(nodesOf(stream), ['c', 'd', 'e', 'f']);
  }
});

test('a stream goes on where it was after the controller began anew', async (t) => {
  const place = await storePlace(t);
  const first = await startTestLog(t, { place });
  const before = await openEvents(t, first);
  await first.tell('a', 'b');
  const { id } = await before.next('node', '"a"');
  await first.store.close();

  const second = await startTestLog(t, { place });
  const after = await openEvents(t, { ...second, headers: { 'last-event-id': String(id) } });
  await second.tell('c');

  await after.next('node', '"c"');
  assert.deepEqual(nodesOf(after), ['b', 'c']);
});

test('what a controller that was killed had committed is replayed, all of it and in order', async (t) => {
  const place = await storePlace(t);
  const { script, execArgv } = runnable(new URL('./telling-child.ts', import.meta.url));
  const child = fork(script, [place], { execArgv: [...execArgv] });
  t.after(() => child.kill('SIGKILL'));
  const committed: string[] = [];
  child.on('message', (node) => committed.push(String(node)));
  await until(() => committed.length >= 100, { what: '100 events', deadlineMs: 30_000 });
  child.kill('SIGKILL');
  await once(child, 'exit');

  const log = await startTestLog(t, { place });
  const stream = await openEvents(t, { ...log, query: '?after=0' });
  await log.tell('last');
  await stream.next('node', '"last"');

  const replayed = nodesOf(stream);
  assert.ok(replayed.length > committed.length); // one more may have been committed than it had said
  assert.deepEqual(replayed.slice(0, committed.length), committed);
  assert.deepEqual(
    stream.messages.slice(1).map(({ id }) => id),
    replayed.map((_, index) => index + 1),
  );
});

test('what another controller stores reaches the streams of this one', async (t) => {
  const place = await storePlace(t);
  const ours = await startTestLog(t, { place });
  const theirs = await openStore(place);
  t.after(theirs.close);
  const stream = await openEvents(t, ours);

  const event = { type: 'node', node: 'far', change: 'online' } as const;
  await theirs.write(async (tx) => tx.tell({ org: 'default', event }));
  ours.poll();

  await stream.next('node', '"far"');
});

test('what is of another org stays there', async (t) => {
  const log = await startTestLog(t);
  const stream = await openEvents(t, log);

  const event = { type: 'node', node: 'secret', change: 'online' } as const;
  await log.store.write(async (tx) => tx.tell({ org: 'other', event }));
  await log.tell('a');

  await stream.next('node', '"a"');
  assert.deepEqual(nodesOf(stream), ['a']);
  assert.deepEqual(nodesOf(await replayOf(stream)), ['a']);

  async function replayOf(seen: TestStream): Promise<TestStream> {
    const again = await openEvents(t, { ...log, query: '?after=0' });
    await until(() => again.messages.length === seen.messages.length, { what: 'the replay' });
    return again;
  }
});

test('an id that is too old, or that never was, is answered with reset, and the stream goes on from now', async (t) => {
  const log = await startTestLog(t);
  await log.tell('a', 'b');
  await log.tell('c');
  await log.store.write((tx) => deleteOldEvents(tx, { upToId: 2, beforeMs: 0 }));

  for (const after of [0, 1, 4, 1e14]) {
    const stream = await openEvents(t, { ...log, query: `?after=${after}` });
    assert.equal((await stream.next('reset')).id, 3, String(after));
    stream.close();
  }
  const kept = await openEvents(t, { ...log, query: '?after=2' });
  await kept.next('node', '"c"');
  for (const bad of [
    '?after=-1',
    '?after=x',
    '?after=1e3',
    `?after=${'9'.repeat(16)}`,
    '?types=secrets',
    '?types=',
    '?x=1',
  ]) {
    const headers = { authorization: `Bearer ${log.token}` };
    await assertProblem(await fetch(`${log.url}/api/v1/events${bad}`, { headers }), 400, 'invalid_request');
  }
});

test('a stream that asks for little learns how far it is, so that it need not begin where it last got something', async (t) => {
  const log = await startTestLog(t, { limits: { heartbeatMs: 50 } });
  const overWebSocket = await openWebSocket(t, { ...log, query: '?node=none' });
  const headers = { authorization: `Bearer ${log.token}` };
  const leaving = new AbortController();
  t.after(() => leaving.abort());
  const answer = await fetch(`${log.url}/api/v1/events?node=none`, { headers, signal: leaving.signal });
  await log.tell('a', 'b', 'c');

  await until(async () => (await overWebSocket.next('heartbeat')).id === 3, { what: 'a heartbeat with the newest id' });
  let text = '';
  for await (const bytes of answer.body ?? []) {
    text += Buffer.from(bytes).toString();
    if (text.endsWith(': nothing new\nid: 3\n\n')) break;
  }
  assert.match(text, /^retry: 2000\n\nid: 0\nevent: ready\ndata: \{"id":0,"at":"[^"]+","type":"ready"\}\n\n/);
});

test('events beyond the number that is kept are forgotten, once there is enough to forget', async (t) => {
  const log = await startTestLog(t);
  const config = { events_kept: 100, events_kept_for: '24h' };
  const forget = createEventRetention({ store: log.store, clock: SYSTEM_CLOCK, config });
  const count = async () => (await log.store.read.selectFrom('events').select('last_id').execute()).length;

  for (let number = 1; number <= 109; number += 1) await log.tell(`n${number}`);
  await forget();
  assert.equal(await count(), 109);
  await log.tell('n110');
  await forget();

  assert.equal(await count(), 100);
});

function nodesOf({ messages }: TestStream): string[] {
  return messages.flatMap((message) => (message.type === 'node' ? [message.node] : []));
}
