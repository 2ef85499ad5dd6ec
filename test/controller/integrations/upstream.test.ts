import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { createUpstream } from '../../../controller/integrations/upstream.js';
import { UpstreamFailure } from '../../../controller/integrations/upstream-failure.js';
import type { TestScope } from '../../support/broker.js';
import { freePort } from '../../support/free-port.js';
import { type Reply, type Seen, startStandIn } from '../../support/stand-in.js';

test('an ask arrives with its method, path, query, headers and body', async (t) => {
  const { ask, standIn } = await startUpstream(t, () => ({ json: { ok: true } }));

  const answer = await ask({ method: 'PUT', path: '/issues/1/', query: { q: 'a&b=c', no: undefined }, body: { a: 1 } });

  assert.deepEqual(answer, { ok: true });
  const { method, path, query, body, headers } = standIn.last();
  assert.deepEqual(
    { method, path, query, body },
    { method: 'PUT', path: '/api/issues/1/', query: { q: 'a&b=c' }, body: { a: 1 } },
  );
  assert.equal(headers.authorization, 'Bearer the-token');
  assert.match(headers['user-agent'] ?? '', /^muster\/\d/);
});

test('an answer without a body is null', async (t) => {
  const { ask } = await startUpstream(t, () => ({ status: 204, text: '' }));
  assert.equal(await ask({ path: '/' }), null);
});

test('A-67, S-A-29: a refusal carries the status and at most 200 characters of what was said', async (t) => {
  const replies: Reply[] = [
    { status: 404, json: { detail: 'No such issue' } },
    { status: 400, json: { errors: [{ message: 'first' }, { message: 'second' }] } },
    { status: 500, text: `<h1>oh\u001b[31m no\n</h1>${'x'.repeat(1000)}` },
    { status: 403, text: '' },
  ];
  const { ask } = await startUpstream(t, (_seen, count) => replies[count - 1] ?? {});

  const failures = [];
  for (const _ of replies) failures.push(await failureOf(ask({ path: '/' })));

  assert.deepEqual(
    failures.map(({ status }) => status),
    [404, 400, 500, 403],
  );
  const [first, second, third, fourth] = failures.map(({ message }) => message);
  assert.equal(first, 'the system answered 404: No such issue');
  assert.equal(second, 'the system answered 400: first');
  assert.match(third ?? '', /^the system answered 500: <h1>oh \[31m no <\/h1>x+$/);
  assert.equal((third ?? '').length, 'the system answered 500: '.length + 200);
  assert.equal(fourth, 'the system answered 403');
});

test('a redirect is not followed, to wherever it leads', async (t) => {
  const thief = await startStandIn(t, () => ({ json: 'thanks' }));
  const { ask } = await startUpstream(t, () => ({
    status: 307,
    headers: { location: `${thief.url}/steal` },
    text: '',
  }));

  const { status, message } = await failureOf(ask({ path: '/' }));

  assert.deepEqual([status, message], [307, 'the system answered 307, a redirect, which is not followed']);
  assert.equal(thief.requests.length, 0);
});

test('an answer of 10 MB is not read to its end, packed or not', async (t) => {
  const large = JSON.stringify('x'.repeat(10 * 1024 * 1024));
  const packed: Reply = { text: gzipSync(large), headers: { 'content-encoding': 'gzip' } };
  const { ask } = await startUpstream(t, (_seen, count) => (count === 1 ? { text: large } : packed));
  for (const _ of ['plain', 'packed']) {
    assert.equal((await failureOf(ask({ path: '/' }))).message, 'the system answered 200 with more than 1 MiB');
  }
});

test('garbage is no answer', async (t) => {
  const { ask } = await startUpstream(t, () => ({ text: '<html>Sign in</html>' }));
  assert.equal((await failureOf(ask({ path: '/' }))).message, 'the system answered 200 with what is not JSON');
});

test('a write is told as not done only by an answer that says so', async (t) => {
  const doubtful: Reply[] = [
    { status: 201, text: '<html>Created</html>' },
    { status: 200, text: JSON.stringify('x'.repeat(2 * 1024 * 1024)) },
    { status: 303, headers: { location: '/issues/7' }, text: '' },
    { status: 502, text: 'Bad Gateway' },
    { status: 504, text: '' },
  ];
  const clear: Reply[] = [
    { status: 307, text: '' },
    { status: 400, text: '' },
    { status: 409, json: {} },
    { status: 500 },
  ];
  const replies = [...doubtful, ...clear, ...doubtful];
  const { ask } = await startUpstream(t, (_seen, count) => replies[count - 1] ?? {});
  const codes = async (method: 'POST' | 'GET', count: number): Promise<string[]> => {
    const failures: UpstreamFailure[] = [];
    for (let at = 0; at < count; at += 1) failures.push(await failureOf(ask({ method, path: '/' })));
    for (const { code, message } of failures)
      assert.equal(/: whether it was done is not known$/.test(message), code === 'outcome_unknown');
    return [...new Set(failures.map(({ code }) => code))];
  };

  assert.deepEqual(await codes('POST', doubtful.length), ['outcome_unknown']);
  assert.deepEqual(await codes('POST', clear.length), ['integration_failed']);
  assert.deepEqual(await codes('GET', doubtful.length), ['integration_failed']);
});

test('S-A-30: a system that hangs is given up, and of a write nobody says that it was not done', async (t) => {
  const { ask, stop, standIn } = await startUpstream(t, () => 'hang');
  const [read, write] = [failureOf(ask({ path: '/' })), failureOf(ask({ method: 'POST', path: '/', body: {} }))];
  while (standIn.requests.length < 2) await new Promise((resolve) => setImmediate(resolve));

  stop.abort();

  const { code, message } = await read;
  assert.deepEqual([code, message], ['integration_failed', 'the system did not answer in time']);
  const { code: second, message: said } = await write;
  assert.deepEqual(
    [second, said],
    ['outcome_unknown', 'the system did not answer in time: whether it was done is not known'],
  );
});

test('where nobody listens nothing was done', async () => {
  const { signal } = new AbortController();
  const baseUrl = `http://127.0.0.1:${await freePort()}`;
  const ask = createUpstream({ name: 'the system', baseUrl, headers: {}, signal, scrub: (text) => text });
  const { code, message } = await failureOf(ask({ method: 'POST', path: '/', body: {} }));
  assert.deepEqual([code, message], ['integration_failed', 'the system cannot be reached (ECONNREFUSED)']);
});

test('Retry-After of a second is waited for once when asking changes nothing, and told in every other case', async (t) => {
  const busy: Reply = { status: 429, headers: { 'retry-after': '1' }, json: { detail: 'Slow down' } };
  const { ask, standIn } = await startUpstream(t, (_seen, count) => (count === 2 ? { json: 'now' } : busy));

  assert.equal(await ask({ path: '/' }), 'now');
  assert.equal(standIn.requests.length, 2);
  const write = await failureOf(ask({ method: 'POST', path: '/', body: {} }));
  assert.equal(write.message, 'the system answered 429: Slow down (try again after 1 s)');
  assert.equal(standIn.requests.length, 3);
});

test('a long Retry-After is told, and not waited for', async (t) => {
  const { ask, standIn } = await startUpstream(t, () => ({
    status: 503,
    headers: { 'retry-after': '3600' },
    text: '',
  }));
  assert.equal((await failureOf(ask({ path: '/' }))).message, 'the system answered 503 (try again after 3600 s)');
  assert.equal(standIn.requests.length, 1);
});

async function startUpstream(t: TestScope, reply: (seen: Seen, count: number) => Reply) {
  const standIn = await startStandIn(t, reply);
  const stop = new AbortController();
  const headers = { authorization: 'Bearer the-token' };
  const baseUrl = `${standIn.url}/api/`;
  const ask = createUpstream({ name: 'the system', baseUrl, headers, signal: stop.signal, scrub: (text) => text });
  return { ask, standIn, stop };
}

async function failureOf(work: Promise<unknown>): Promise<UpstreamFailure> {
  try {
    await work;
  } catch (error) {
    if (error instanceof UpstreamFailure) return error;
    throw error;
  }
  return assert.fail('it did not fail');
}
