import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { ErrorCode } from '../../../protocol/errors.js';
import { createLogger } from '../../../runtime/logger.js';
import { assertProblem, startTestHttp } from '../../support/http.js';
import { createScriptedServices, tokenOf } from '../../support/scripted-services.js';

const OWNER = { authorization: `Bearer ${tokenOf('owner')}` };
const ASK = { action: 'ping', target: { nodes: ['pump-1'] } };
const body = (value: unknown): string => JSON.stringify(value);

type Bad = Readonly<{ why: string; content: string; code: ErrorCode; status: number; pointers?: readonly string[] }>;

const BAD_ASKS: readonly Bad[] = [
  { why: 'half a body', content: '{"action":', code: 'malformed_json', status: 400 },
  { why: 'a name twice', content: '{"action":"a","action":"b"}', code: 'malformed_json', status: 400 },
  { why: '__proto__', content: '{"__proto__":{"x":1}}', code: 'malformed_json', status: 400 },
  { why: 'deep nesting', content: '['.repeat(100_000) + ']'.repeat(100_000), code: 'malformed_json', status: 400 },
  { why: 'an endless body', content: ' '.repeat(256 * 1024 + 1), code: 'body_too_large', status: 413 },
  { why: 'a list', content: '[]', code: 'invalid_request', status: 400, pointers: [''] },
  { why: 'null', content: 'null', code: 'invalid_request', status: 400, pointers: [''] },
  { why: 'nothing asked', content: '{}', code: 'invalid_request', status: 400, pointers: ['/action', '/target'] },
  bad('an unknown field', { ...ASK, command: 'rm' }, ['/command']),
  bad('a name of an action that cannot be', { ...ASK, action: '../ping' }, ['/action']),
  bad('two selectors', { ...ASK, target: { nodes: ['a'], group: 'g' } }, ['/target']),
  bad('no node', { ...ASK, target: { nodes: [] } }, ['/target/nodes']),
  bad('a node with a wildcard', { ...ASK, target: { nodes: ['a', '+'] } }, ['/target/nodes/1']),
  bad('a group with a slash', { ...ASK, target: { group: 'a/b' } }, ['/target/group']),
  bad('the fleet, but not', { ...ASK, target: { fleet: false } }, ['/target/fleet']),
  bad('a parameter that is an object', { ...ASK, parameters: { a: {} } }, ['/parameters/a']),
  bad('a parameter with a slash in its name', { ...ASK, parameters: { 'a/b~c': [] } }, ['/parameters/a~1b~0c']),
  bad('a parameter with a line break in its name', { ...ASK, parameters: { 'a\nb': 1 } }, ['/parameters/a\nb']),
  bad('65 parameters', { ...ASK, parameters: many(65) }, ['/parameters']),
  bad('64 KiB of parameters', { ...ASK, parameters: { a: 'x'.repeat(65_530) } }, ['/parameters']),
  bad('a time-out of zero', { ...ASK, timeout: '0s' }, ['/timeout']),
  bad('a time-out without a unit', { ...ASK, timeout: '30' }, ['/timeout']),
  bad('a time-out that is a number', { ...ASK, timeout: 30 }, ['/timeout']),
  bad('a reason without end', { ...ASK, reason: 'x'.repeat(1025) }, ['/reason']),
  bad('a confirmation in words', { ...ASK, confirm: 'yes' }, ['/confirm']),
];

function bad(why: string, content: unknown, pointers: readonly string[]): Bad {
  return { why, content: body(content), code: 'invalid_request', status: 400, pointers };
}

function many(count: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, index]));
}

for (const { why, content, code, status, pointers } of BAD_ASKS) {
  test(`an ask with ${why} is answered ${status} ${code}, and nothing is created`, async (t) => {
    const { services, created } = createScriptedServices();
    const { url } = await startTestHttp(t, services);

    const answer = await fetch(`${url}/api/v1/invocations`, {
      method: 'POST',
      headers: { ...OWNER, 'content-type': 'application/json' },
      body: content,
    });

    const problem = await assertProblem(answer, status, code);
    assert.deepEqual(
      problem.errors?.map(({ pointer }) => pointer),
      pointers,
    );
    assert.deepEqual(created, []);
  });
}

test('what is not JSON by its type is answered 415', async (t) => {
  const { services, created } = createScriptedServices();
  const { url } = await startTestHttp(t, services);

  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json-patch+json']) {
    const headers = { ...OWNER, 'content-type': type };
    const answer = await fetch(`${url}/api/v1/invocations`, { method: 'POST', headers, body: body(ASK) });
    await assertProblem(answer, 415, 'unsupported_media_type');
  }
  assert.deepEqual(created, []);
});

test('an address under which there is nothing is answered 404, a wrong method 405 with Allow', async (t) => {
  const { url } = await startTestHttp(t, createScriptedServices().services);
  const call = (method: string, path: string): Promise<Response> => fetch(`${url}${path}`, { method, headers: OWNER });

  for (const path of ['/', '/api', '/api/v1/nodes/', '/api/v1/nodes/a/b', '/api/v1/invocations/none', '/.env']) {
    await assertProblem(await call('GET', path), 404, 'not_found');
  }
  await assertProblem(await call('GET', '/api/v1/nodes/no%2Fnode'), 404, 'not_found');
  await assertProblem(await call('GET', `/api/v1/nodes/${'x'.repeat(200)}`), 404, 'not_found');
  await assertProblem(await call('DELETE', '/api/v1/enrollment-tokens/unknown0token'), 404, 'not_found');
  const wrong = await call('PUT', '/api/v1/invocations/018f2a10-0000-7000-8000-000000000000');
  await assertProblem(wrong, 405, 'method_not_allowed');
  assert.equal(wrong.headers.get('allow'), 'GET, HEAD');
  await assertProblem(await call('GET', '/api/v1/nodes/%zz'), 400, 'invalid_request');
});

test('queries are checked: unknown fields, limits and cursors', async (t) => {
  const { url } = await startTestHttp(t, createScriptedServices().services);

  for (const query of ['limit=0', 'limit=201', 'limit=x', 'limit=1.5', 'page=2', `cursor=${'x'.repeat(513)}`]) {
    const answer = await fetch(`${url}/api/v1/nodes?${query}`, { headers: OWNER });
    const { errors } = await assertProblem(answer, 400, 'invalid_request');
    assert.deepEqual(errors?.[0]?.pointer, `/${query.split('=')[0]}`);
  }
  await assertProblem(await fetch(`${url}/api/v1/actions?node=nope`, { headers: OWNER }), 422, 'unknown_node');
});

test('what the services refuse keeps its code; what they did not foresee tells nothing of the inside', async (t) => {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  const log = createLogger('controller', { level: 'error', destination });
  const { url } = await startTestHttp(t, createScriptedServices().services, log);
  const post = (path: string, value: unknown): Promise<Response> =>
    fetch(`${url}/api/v1/${path}`, {
      method: 'POST',
      headers: { ...OWNER, 'content-type': 'application/json' },
      body: body(value),
    });

  await assertProblem(await post('enroll', { jws: 'a.b.c' }), 401, 'enrollment_token_invalid');
  const busy = await post('broker-credentials', { role: 'monitor' });
  await assertProblem(busy, 503, 'overloaded');
  assert.equal(busy.headers.get('retry-after'), '1');
  const full = await assertProblem(await post('enrollment-tokens', {}), 503, 'storage_failed');
  const fault = await assertProblem(await post('renew', { jws: 'a.b.c' }), 500, 'internal');

  assert.doesNotMatch(JSON.stringify([full, fault]), /secret|SQL|SELECT/);
  assert.match(lines.join(''), /SELECT \* FROM nodes/);
});

test('bytes that are not HTTP are answered 400 and the connection is closed', async (t) => {
  const { port } = await startTestHttp(t, createScriptedServices().services);
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());

  socket.write('\x10\x2f\x00\x04MQTT\r\n\r\n');
  const answer = await text(socket);

  assert.match(answer, /^HTTP\/1\.1 400 /);
  assert.match(answer, /"code":"invalid_request"/);
});

test('every answer carries the headers that keep a browser from using it as a page', async (t) => {
  const { url } = await startTestHttp(t, createScriptedServices().services);

  for (const path of ['/healthz', '/api/v1/nodes', '/nope', '/openapi.json', '/docs/']) {
    const { headers } = await fetch(`${url}${path}`);
    assert.equal(headers.get('x-content-type-options'), 'nosniff', path);
    assert.equal(headers.get('cache-control'), 'no-store', path);
    assert.match(headers.get('content-security-policy') ?? '', /^default-src 'none'.*frame-ancestors 'none'/, path);
  }
});
