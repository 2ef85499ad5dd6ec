import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FleetFailure } from '../../../controller/http/polling-schemas.js';
import { ERROR_CODES } from '../../../protocol/errors.js';
import { assertProblem, startTestHttp } from '../../support/http.js';
import { createScriptedServices, tokenOf } from '../../support/scripted-services.js';

const NODE = 'Bearer mnt_node_secret';
const MISSING = { queue: 'Missing machine_id or action_type', report: 'Missing action_id or status' };
const INVALID_TYPE = "Invalid action_type. Must be one of: ['message', 'restart', 'reboot']";
const INVALID_STATUS = "Invalid status. Must be 'done' or 'error'";
const QUEUE = { machine_id: 'kiosk-1', action_type: 'message', data: { message: 'hi' } };
const REPORT = { action_id: 'default:kiosk-1:1', status: 'done', result: '' };

type Route = 'queue' | 'report';
type Bad = Readonly<{ route: Route; row: string; why: string; content: unknown; error: string }>;

/** What is told by a sentence alone, as the rows have it. */
const IN_OWN_WORDS: readonly Bad[] = [
  ...(['queue', 'report'] as const).flatMap((route) =>
    ['{"action', '', '{"a":1,"a":2}', '{"__proto__":{}}', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, '\xff'].map(
      (content) => ({ route, row: 'F-25, F-47', why: content.slice(0, 20), content, error: 'Invalid JSON' }),
    ),
  ),
  ...(['queue', 'report'] as const).flatMap((route) =>
    [[], 'x', null, 7].map((content) => ({
      ...{ route, row: 'F-25, F-47, S-F-5', why: JSON.stringify(content) },
      ...{ content: JSON.stringify(content), error: 'Invalid JSON' },
    })),
  ),
  bad('queue', 'F-23', {}, MISSING.queue),
  bad('queue', 'F-23', { action_type: 'message' }, MISSING.queue),
  bad('queue', 'F-23', { machine_id: 'kiosk-1' }, MISSING.queue),
  bad('queue', 'F-23', { ...QUEUE, machine_id: '' }, MISSING.queue),
  bad('queue', 'F-23', { ...QUEUE, action_type: null }, MISSING.queue),
  bad('queue', 'F-24', { ...QUEUE, action_type: 'shutdown' }, INVALID_TYPE),
  bad('queue', 'F-24', { ...QUEUE, action_type: 'MESSAGE' }, INVALID_TYPE),
  bad('queue', 'F-24', { ...QUEUE, action_type: ['message'] }, INVALID_TYPE),
  bad('queue', 'S-F-28', { ...QUEUE, data: { message: '' } }, 'Please enter a message'),
  bad('report', 'F-45', {}, MISSING.report),
  bad('report', 'F-45', { action_id: 'a' }, MISSING.report),
  bad('report', 'F-45', { ...REPORT, action_id: '' }, MISSING.report),
  bad('report', 'F-45', { ...REPORT, status: '' }, MISSING.report),
  bad('report', 'F-46', { ...REPORT, status: 'executing' }, INVALID_STATUS),
  bad('report', 'F-46', { ...REPORT, status: ['done'] }, INVALID_STATUS),
];

/** What the rows do not foresee: a code says what to do. */
const WITH_CODE: readonly Readonly<{ route: Route; content: unknown; type?: string; status: number; code: string }>[] =
  [
    { route: 'queue', content: { ...QUEUE, command: 'rm' }, status: 400, code: 'invalid_request' },
    { route: 'queue', content: { ...QUEUE, machine_id: 7 }, status: 400, code: 'invalid_request' },
    { route: 'queue', content: { ...QUEUE, machine_id: 'x'.repeat(257) }, status: 400, code: 'invalid_request' },
    { route: 'queue', content: { ...QUEUE, data: [] }, status: 400, code: 'invalid_request' },
    { route: 'queue', content: { ...QUEUE, data: { message: {} } }, status: 400, code: 'invalid_request' },
    {
      route: 'queue',
      content: { ...QUEUE, data: { message: 'x'.repeat(70_000) } },
      status: 400,
      code: 'invalid_request',
    },
    { route: 'report', content: { ...REPORT, result: 7 }, status: 400, code: 'invalid_request' },
    { route: 'report', content: { ...REPORT, extra: 1 }, status: 400, code: 'invalid_request' },
    { route: 'report', content: { ...REPORT, action_id: 'x'.repeat(161) }, status: 400, code: 'invalid_request' },
    { route: 'report', content: { ...REPORT, result: 'x'.repeat(10_000_000) }, status: 413, code: 'body_too_large' },
    { route: 'report', content: REPORT, type: 'text/plain', status: 415, code: 'unsupported_media_type' },
    { route: 'report', content: REPORT, status: 404, code: 'not_found' },
  ];

function bad(route: Route, row: string, content: unknown, error: string): Bad {
  return { route, row, why: JSON.stringify(content), content: JSON.stringify(content), error };
}

function call(url: string, route: Route, content: unknown, type = 'application/json'): Promise<Response> {
  const authorization = route === 'queue' ? `Bearer ${tokenOf('admin')}` : NODE;
  const body = typeof content === 'string' ? Buffer.from(content, 'latin1') : JSON.stringify(content);
  return fetch(`${url}/api/actions/${route}`, {
    method: 'POST',
    headers: { authorization, 'content-type': type },
    body,
  });
}

test('F-23, F-24, F-25, F-45, F-46, F-47, S-F-5, S-F-28: bad bodies are answered 400 in the words of their rows', async (t) => {
  const { url } = await startTestHttp(t, createScriptedServices().services);
  for (const { route, row, why, content, error } of IN_OWN_WORDS) {
    const answer = await call(url, route, content);
    assert.deepEqual([answer.status, await answer.json()], [400, { error }], `${row}: ${route} ${why}`);
  }
});

test('what the rows do not foresee is answered with a code, and what to do', async (t) => {
  const { url } = await startTestHttp(t, createScriptedServices().services);
  for (const { route, content, type, status, code } of WITH_CODE) {
    const answer = await call(url, route, content, type);
    const failure = FleetFailure.parse(await answer.json());
    assert.deepEqual([answer.status, failure.code], [status, code], JSON.stringify(content).slice(0, 99));
    assert.ok(failure.error.length > 0 && (failure.next ?? '').length > 0);
    assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  }
});

test('F-34: a fetch that names no machine is answered 400, another query or key that cannot be with a code', async (t) => {
  const { url } = await startTestHttp(t, createScriptedServices().services);
  const pending = (query: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${url}/api/actions/pending${query}`, { headers: { authorization: NODE, ...headers } });

  for (const query of ['', '?', '?machine_id=', '?machine=kiosk-1']) {
    const answer = await pending(query);
    assert.deepEqual([answer.status, await answer.json()], [400, { error: 'machine_id query param required' }], query);
  }
  for (const query of ['?machine_id=kiosk-1&limit=99', '?machine_id=kiosk-1&machine_id=kiosk-2']) {
    const answer = await pending(query);
    assert.deepEqual([answer.status, FleetFailure.parse(await answer.json()).code], [400, 'invalid_request'], query);
  }
  for (const query of ['?machine_id=kiosk-2', '?machine_id=..%2F..%2Fetc', '?machine_id=%00', "?machine_id='--"]) {
    const answer = await pending(query);
    assert.deepEqual([answer.status, await answer.json()], [403, { error: 'Unauthorized' }], query);
  }
  assert.equal((await pending('?machine_id=kiosk-1', { 'idempotency-key': 'x'.repeat(256) })).status, 400);
});

test('a HEAD of what is pending fetches nothing', async (t) => {
  const scripted = createScriptedServices();
  let fetches = 0;
  const polling = {
    ...scripted.services.polling,
    fetch: async () => {
      fetches += 1;
      return [];
    },
  };
  const { url } = await startTestHttp(t, { ...scripted.services, polling });

  const address = `${url}/api/actions/pending?machine_id=kiosk-1`;
  const answer = await fetch(address, { method: 'HEAD', headers: { authorization: NODE } });

  assert.deepEqual([answer.status, fetches], [405, 0]);
});

test('F-29, F-40, F-50: a store that cannot be written to is 500 with a sentence, and tells nothing of the inside', async (t) => {
  const scripted = createScriptedServices();
  const fail = async (): Promise<never> => {
    throw new Error('SQLITE_FULL at /secret/muster.db: INSERT INTO executions');
  };
  const polling = { ...scripted.services.polling, queue: fail, fetch: fail, report: fail };
  const { url } = await startTestHttp(t, { ...scripted.services, polling });

  const address = `${url}/api/actions/pending?machine_id=kiosk-1`;
  const answers = [
    await call(url, 'queue', QUEUE),
    await call(url, 'report', REPORT),
    await fetch(address, { headers: { authorization: NODE } }),
  ];

  for (const answer of answers) {
    const { meaning, next } = ERROR_CODES.internal;
    assert.deepEqual([answer.status, await answer.json()], [500, { error: meaning, code: 'internal', next }]);
  }
});

test('ids and addresses that cannot be are answered 404 or 403 on what nodes say of themselves', async (t) => {
  const { url } = await startTestHttp(t, createScriptedServices().services);
  const say = (path: string): Promise<Response> =>
    fetch(`${url}/v1/nodes/${path}`, {
      method: 'POST',
      headers: { authorization: NODE, 'content-type': 'application/json' },
      body: JSON.stringify({ execution_id: 'x', status: 'accepted', reason: '' }),
    });

  for (const path of [
    'kiosk-1/executions//ack',
    '..%2Fx/executions/x/ack',
    `kiosk-1/executions/${'x'.repeat(161)}/ack`,
  ]) {
    await assertProblem(await say(path), 404, 'not_found');
  }
  await assertProblem(await say('kiosk-2/executions/x/ack'), 403, 'forbidden');
  await assertProblem(await say('kiosk-1/executions/%00/ack'), 400, 'invalid_request');
  await assertProblem(await say('kiosk-1/executions/x/ack'), 404, 'not_found');
});
