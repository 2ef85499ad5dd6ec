import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Params } from '../../../controller/integrations/action.js';
import { SENTRY } from '../../../controller/integrations/adapters/sentry.js';
import { assertThrowsCode } from '../../support/assert-code.js';
import { connectAdapter } from '../../support/connect-adapter.js';
import type { Reply } from '../../support/stand-in.js';

const PROJECT = { organization: 'acme', project: 'pump-ui' };

/** What arrives at Sentry for each action: method, path, query and body. */
const CALLS: readonly (readonly [row: string, action: string, params: Params, arrives: readonly unknown[]])[] = [
  [
    'A-64: list_issues',
    'list_issues',
    { ...PROJECT, query: 'is:unresolved & mine' },
    ['GET', '/api/0/projects/acme/pump-ui/issues/', { query: 'is:unresolved & mine' }, undefined],
  ],
  ['A-64: get_issue', 'get_issue', { issue: '4711' }, ['GET', '/api/0/issues/4711/', {}, undefined]],
  [
    'A-64: list_issue_events',
    'list_issue_events',
    { issue: '4711' },
    ['GET', '/api/0/issues/4711/events/', {}, undefined],
  ],
  [
    'A-64: get_event',
    'get_event',
    { issue: '4711', event: 'latest' },
    ['GET', '/api/0/issues/4711/events/latest/', {}, undefined],
  ],
  [
    'A-64: update_issue',
    'update_issue',
    { issue: '4711', status: 'resolved', assignedTo: 'team:pumps' },
    ['PUT', '/api/0/issues/4711/', {}, { status: 'resolved', assignedTo: 'team:pumps' }],
  ],
];

for (const [row, action, params, arrives] of CALLS) {
  test(`${row} asks what Sentry documents, with the token in the header`, async (t) => {
    const json = action.startsWith('list_') ? [{ id: '4711' }] : { id: '4711' };
    const { execute, standIn } = await connectAdapter(t, SENTRY, () => ({ json }), '/api/0');

    assert.deepEqual(await execute(action, params), json);

    const { method, path, query, body, headers } = standIn.last();
    assert.deepEqual([method, path, query, body], arrives);
    assert.equal(headers.authorization, 'Bearer the-token-of-it');
  });
}

test('A-40, A-41, A-64: sentry reads with four actions and writes with one, and says what each takes', () => {
  assert.equal(SENTRY.baseUrl, 'https://sentry.io/api/0');
  assert.deepEqual(
    SENTRY.actions.map(({ name, risk, params }) => [
      name,
      risk,
      params.map((each) => `${each.name}${each.required ? '' : '?'}:${each.type}`),
    ]),
    [
      ['list_issues', 'read', ['organization:string', 'project:string', 'query?:string', 'cursor?:string']],
      ['get_issue', 'read', ['issue:string']],
      ['list_issue_events', 'read', ['issue:string']],
      ['get_event', 'read', ['issue:string', 'event:string']],
      ['update_issue', 'write', ['issue:string', 'status?:string', 'assignedTo?:string']],
    ],
  );
  for (const { description, params } of SENTRY.actions) {
    assert.notEqual(description, '');
    for (const each of params) assert.notEqual(each.description, '', each.name);
  }
});

test('an id that would leave its place in the path is never sent', async (t) => {
  const { execute, standIn } = await connectAdapter(t, SENTRY, () => ({ json: {} }));
  for (const issue of ['../organizations', '..', 'a/b', '%2e%2e', '4711?x=1', '4711#']) {
    await assert.rejects(execute('get_issue', { issue }), { code: 'invalid_parameter' });
  }
  assert.equal(standIn.requests.length, 0);
});

test('S-A-11: a parameter that is missing, empty, unknown or of another type is refused by its name', () => {
  const [list, , , , update] = SENTRY.actions;
  const missing = assertThrowsCode(() => list?.check({ organization: 'acme' }), 'missing_required_parameter');
  assert.equal(missing.message, 'Missing required parameter: project');
  assertThrowsCode(() => list?.check({ organization: 'acme', project: '' }), 'missing_required_parameter');
  for (const params of [{ issue: 4711 }, { issue: '1', status: 'gone' }, { issue: '1', colour: 'red' }]) {
    assert.match(assertThrowsCode(() => update?.check(params), 'invalid_parameter').message, /issue|status|colour/);
  }
});

test('a test of the connection asks for the root of the API', async (t) => {
  const { check, standIn } = await connectAdapter(t, SENTRY, () => ({ json: { version: '0' } }), '/api/0');
  await check();
  assert.deepEqual([standIn.last().method, standIn.last().path], ['GET', '/api/0/']);
});

test('a success of Sentry that holds nothing, or something else, is a failure, and of a change one of unknown outcome', async (t) => {
  let reply: Reply = {};
  const { execute, check } = await connectAdapter(t, SENTRY, () => reply);

  for (const [, action, params] of CALLS) {
    const isList = action.startsWith('list_');
    const code = action === 'update_issue' ? 'outcome_unknown' : 'integration_failed';
    const kind = isList ? 'list' : 'object';
    const replies: [Reply, RegExp][] = [
      [{ text: '' }, /^sentry answered 200 with nothing/],
      [{ status: 204, text: '' }, /^sentry answered 204 with nothing/],
      [{ text: '<html>' }, /^sentry answered 200 with what is not JSON/],
      [{ text: 'null' }, new RegExp(`^sentry answered 200 with what is no ${kind}`)],
      [{ json: isList ? {} : [] }, new RegExp(`^sentry answered 200 with what is no ${kind}`)],
    ];
    for (const [given, message] of replies) {
      reply = given;
      await assert.rejects(execute(action, params), { code, message }, action);
    }
  }
  reply = { text: '' };
  await assert.rejects(check(), { code: 'integration_failed' });
});
