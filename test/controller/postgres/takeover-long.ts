import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import type { StreamMessage } from '../../../controller/http/event-schemas.js';
import { NodeTokenCreated } from '../../../controller/http/polling-schemas.js';
import { InvocationAnswer } from '../../../controller/http/schemas.js';
import { peekPayload } from '../../../protocol/envelope.js';
import { openEvents, openWebSocket } from '../../support/events.js';
import { roleOf, type Several, startSeveral, submit, type TestController } from '../../support/several.js';
import { until } from '../../support/until.js';

const TAKEOVER_MS = 60_000;
const Fetched = z.object({ actions: z.array(z.object({ action_id: z.string() })) });

for (const [how, harm] of [
  ['is killed', ({ controllers: [leading] }) => void leading.child.kill('SIGKILL')],
  ['froze', ({ controllers: [leading] }) => void leading.child.kill('SIGSTOP')],
  ['no longer reaches the database', ({ link }) => link.block()],
] as const satisfies readonly (readonly [string, (several: Several) => void])[]) {
  test(`when the controller that leads ${how}, work flows again through another one, and nothing is lost or doubled`, async (t) => {
    const several = await startSeveral(t);
    if (several === undefined) return t.skip('PostgreSQL is not installed');
    const [former, next] = several.controllers;
    const ids = [(await submit([former.client], 'before')).id];

    harm(several);
    const sinceMs = performance.now();
    ids.push((await submit([next.client], 'after', TAKEOVER_MS)).id);
    t.diagnostic(`accepted again after ${Math.round(performance.now() - sinceMs)} ms`);

    await allCompleted(next, ids);
    t.diagnostic(`done after ${Math.round(performance.now() - sinceMs)} ms`);
    assert.equal(await roleOf(next), 'leader');
    const started = several.started();
    assert.deepEqual([started.length, new Set(started).size], [2, 2]);
    if (how === 'is killed') return;

    if (how === 'froze') former.child.kill('SIGCONT');
    else {
      assert.match(await roleOf(former), /No controller leads/, 'it knows of nobody, and says so');
      several.link.unblock();
    }
    await until(async () => (await roleOf(former)) === 'standby', { what: 'it stands by', deadlineMs: TAKEOVER_MS });
    ids.push((await submit([former.client], 'later')).id);
    await allCompleted(former, ids);
    assert.equal(several.started().length, 3);
    assert.equal(await roleOf(next), 'leader');
  });
}

test('streams of a controller that stands by go on after a takeover without a gap and without doubles', async (t) => {
  const several = await startSeveral(t);
  if (several === undefined) return t.skip('PostgreSQL is not installed');
  const [leading, standing] = several.controllers;
  const followers = [follow(t, standing, openEvents), follow(t, standing, openWebSocket)];
  await until(() => followers.every(({ isOpen }) => isOpen()), { what: 'both streams' });

  const ids: string[] = [];
  for (let nth = 0; nth < 20; nth += 1) {
    if (nth === 7) leading.child.kill('SIGKILL');
    ids.push((await submit([standing.client], `ask-${nth}`, TAKEOVER_MS)).id);
  }
  await allCompleted(standing, ids);

  for (const { events } of followers) {
    const isTold = (id: string): boolean =>
      events.some((event) => event.type === 'action_completed' && event.invocationId === id);
    await until(() => ids.every(isTold), { what: 'the end of each', deadlineMs: TAKEOVER_MS });
    const seen = events.map(({ id }) => id);
    assert.deepEqual(
      seen,
      seen.map((_, index) => (seen[0] ?? 0) + index),
    );
  }
});

test('what a node that polls is given under a key comes once, whoever leads meanwhile', async (t) => {
  const several = await startSeveral(t);
  if (several === undefined) return t.skip('PostgreSQL is not installed');
  const [leading, standing] = several.controllers;
  const { token } = await standing.client.call(NodeTokenCreated, {
    ...{ method: 'POST', path: '/node-tokens', body: { node: 'poll-1' } },
  });
  const ask = persistent(several.controllers);

  const given: string[] = [];
  const queued: string[] = [];
  for (let round = 0; round < 12; round += 1) {
    const body = { machine_id: 'poll-1', action_type: 'message', data: { message: `number ${round}` } };
    const key = { 'idempotency-key': `round-${round}` };
    const queue = await ask(several.token, { path: '/api/actions/queue', method: 'POST', body, headers: key });
    queued.push(z.object({ action_id: z.string() }).parse(queue).action_id);
    const fetching = ask(token, { path: '/api/actions/pending?machine_id=poll-1', headers: key });
    if (round === 5) leading.child.kill('SIGKILL');
    const { actions } = Fetched.parse(await fetching);
    for (const { action_id } of actions) {
      given.push(action_id);
      const report = { action_id, status: 'done', result: 'shown' };
      await ask(token, { path: '/api/actions/report', method: 'POST', body: report });
    }
  }

  assert.deepEqual(given, queued);
  assert.equal(await roleOf(standing), 'leader');
});

test('promise 20: what is revoked or changed through a controller that stands by counts at once, and its broker is told', async (t) => {
  const several = await startSeveral(t);
  if (several === undefined) return t.skip('PostgreSQL is not installed');
  const [leading, standing] = several.controllers;
  const { id, token } = await standing.client.call(z.object({ id: z.string(), token: z.string() }), {
    ...{ method: 'POST', path: '/tokens', body: { name: 'short' } },
  });
  const status = async ({ url }: TestController, bearer = token): Promise<number> =>
    (await fetch(`${url}/api/v1/nodes`, { headers: { authorization: `Bearer ${bearer}` } })).status;
  assert.deepEqual([await status(leading), await status(standing)], [200, 200]);

  await standing.client.call(z.unknown(), { method: 'DELETE', path: `/tokens/${id}` });
  assert.deepEqual([await status(leading), await status(standing)], [401, 401]);

  const asked = (method: string, path: string, body: unknown): Promise<Response> =>
    fetch(`${(method === 'PUT' ? standing : leading).url}/api/v1${path}`, {
      ...{ method, body: JSON.stringify(body) },
      headers: { authorization: `Bearer ${several.token}`, 'content-type': 'application/json', 'if-match': '*' },
    });
  const danger = { v: 1, risks: [{ actions: ['count.sh'], risk: 'danger' }] };
  const changed = await asked('PUT', '/policy', danger);
  assert.equal(changed.status, 200, await changed.text());
  const ask = { action: 'count.sh', target: { nodes: ['node-1'] }, confirm: true };
  assert.equal((await asked('POST', '/invocations', ask)).status, 403);

  await standing.client.call(z.unknown(), { method: 'DELETE', path: '/nodes/node-1' });
  const isWritten = (directory: string): boolean => {
    const file = join(directory, 'revocations.jws');
    if (!existsSync(file)) return false; // one that stands by brings it when it first hears of it
    const { payload } = peekPayload(readFileSync(file, 'utf8'), {
      ...{ typ: 'muster-revocations', maxBytes: 1024 * 1024 },
    });
    return payload.toString().includes('"node-1"');
  };
  await until(() => several.publicDirs.every(isWritten), { what: 'both lists' });
});

async function allCompleted({ client }: TestController, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    await until(
      async () =>
        client.call(InvocationAnswer, { path: `/invocations/${id}` }).then(
          ({ invocation }) => invocation.status === 'completed',
          () => false,
        ),
      { what: `${id} is completed`, deadlineMs: TAKEOVER_MS },
    );
  }
}

/** Follows the events of a controller as a client does: when the stream ends it goes on after the last event. */
function follow(t: TestContext, { url, token }: TestController, open: typeof openEvents) {
  const events: StreamMessage[] = [];
  let isOpen = false;
  let isOver = false;
  t.after(() => {
    isOver = true;
  });
  const next = async (): Promise<void> => {
    const last = events.at(-1)?.id;
    const stream = await open(t, { url, token, query: last === undefined ? '' : `?after=${last}` });
    isOpen = true;
    let taken = 0;
    let hasEnded = false;
    void stream.ended.then(() => {
      hasEnded = true;
    });
    while (!isOver) {
      const wasLast = hasEnded;
      for (; taken < stream.messages.length; taken += 1) {
        const message = stream.messages[taken];
        if (message?.type === 'reset') throw new assert.AssertionError({ message: 'events were lost' });
        if (message !== undefined && !['ready', 'heartbeat', 'end'].includes(message.type)) events.push(message);
      }
      if (wasLast) return;
      await pause(10);
    }
  };
  void (async () => {
    while (!isOver) {
      await next().catch((error: unknown) => {
        if (error instanceof assert.AssertionError) isOver = true; // the events that it waits for never come
      });
      await pause(50);
    }
  })();
  return { events, isOpen: () => isOpen };
}

/** Asks one controller after the other until one answers with success; 409 and the like end it. */
function persistent(controllers: readonly TestController[]) {
  let turn = 0;
  return (
    token: string,
    ask: { path: string; method?: string; body?: unknown; headers?: Record<string, string> },
  ): Promise<unknown> =>
    until(
      async () => {
        const { url } = controllers[turn++ % controllers.length] ?? { url: '' };
        const content = ask.body === undefined ? {} : { 'content-type': 'application/json' };
        const answer = await fetch(`${url}${ask.path}`, {
          method: ask.method ?? 'GET',
          headers: { authorization: `Bearer ${token}`, ...content, ...ask.headers },
          ...(ask.body === undefined ? {} : { body: JSON.stringify(ask.body) }),
        }).catch(() => undefined);
        if (answer === undefined || answer.status === 503) return undefined;
        if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
        return answer.json() as Promise<unknown>;
      },
      { what: ask.path, deadlineMs: TAKEOVER_MS },
    );
}
