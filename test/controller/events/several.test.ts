import assert from 'node:assert/strict';
import { test } from 'node:test';
import { followEvents } from '../../../cli/events.js';
import type { StreamMessage } from '../../../controller/http/event-schemas.js';
import { openWebSocket } from '../../support/events.js';
import { startSeveral, submit } from '../../support/several.js';
import { until } from '../../support/until.js';

test('a stream through any controller goes on where it was when the one that leads is killed', async (t) => {
  const several = await startSeveral(t);
  if (several === undefined) return t.skip('PostgreSQL is not installed');
  const [leading, standing] = several.controllers;
  const messages: StreamMessage[] = [];
  const leaving = new AbortController();
  const following = followEvents(standing.client, {
    filter: { after: 0 },
    signal: leaving.signal,
    onMessage: (message) => void messages.push(message),
  }).catch(() => undefined);
  const completed = (): string[] =>
    messages.flatMap((each) => (each.type === 'action_completed' ? [each.invocationId] : []));

  const asked: string[] = [];
  for (let nth = 0; nth < 10; nth += 1) {
    if (nth === 5) leading.child.kill('SIGKILL');
    asked.push((await submit([standing.client], `ask-${nth}`)).id);
  }
  await until(() => asked.every((id) => completed().includes(id)), { what: 'every end', deadlineMs: 60_000 });
  leaving.abort();
  await following;

  assert.deepEqual([...completed()].sort(), [...asked].sort());
  const events = messages.filter(({ type }) => !['ready', 'heartbeat', 'end'].includes(type));
  assert.deepEqual(
    events.map(({ id }) => id),
    events.map((_, index) => index + 1),
  );
});

test('a WebSocket through a controller that stands by tells the same', async (t) => {
  const several = await startSeveral(t);
  if (several === undefined) return t.skip('PostgreSQL is not installed');
  const [, standing] = several.controllers;
  const stream = await openWebSocket(t, { url: standing.url, token: several.token });

  const { id } = await submit([standing.client], 'ask');

  assert.equal((await stream.next('action_completed')).invocationId, id);
});
