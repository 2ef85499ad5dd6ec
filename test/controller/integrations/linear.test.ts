import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Params } from '../../../controller/integrations/action.js';
import { LINEAR } from '../../../controller/integrations/adapters/linear.js';
import { connectAdapter } from '../../support/connect-adapter.js';

const ISSUE = { id: 'i1', identifier: 'ENG-12' };

/** What Linear answers to each action when all is well. */
const ANSWERS: Readonly<Record<string, unknown>> = {
  list_issues: { issues: { nodes: [] } },
  get_issue: { issue: ISSUE },
  create_issue: { issueCreate: { success: true, issue: ISSUE } },
  update_issue: { issueUpdate: { success: true, issue: ISSUE } },
  add_comment: { commentCreate: { success: true, comment: { id: 'c1' } } },
};

/** For each action: the field that is asked for, and the variables. */
const CALLS: readonly (readonly [row: string, action: string, params: Params, field: RegExp, variables: unknown])[] = [
  [
    'A-65: list_issues',
    'list_issues',
    { team: 't1', project: 'p1', limit: 10 },
    /^query.*issues\(filter: \$filter/s,
    { filter: { team: { id: { eq: 't1' } }, project: { id: { eq: 'p1' } } }, first: 10 },
  ],
  ['A-65: get_issue', 'get_issue', { issue: 'ENG-12' }, /^query.*issue\(id: \$id\).*comments/s, { id: 'ENG-12' }],
  [
    'A-65: create_issue',
    'create_issue',
    { team: 't1', title: 'The pump is loud', priority: 2 },
    /^mutation.*issueCreate/s,
    { input: { teamId: 't1', title: 'The pump is loud', priority: 2 } },
  ],
  [
    'A-65: update_issue',
    'update_issue',
    { issue: 'ENG-12', state: 's1', assignee: 'u1' },
    /^mutation.*issueUpdate/s,
    { id: 'ENG-12', input: { stateId: 's1', assigneeId: 'u1' } },
  ],
  [
    'A-65: add_comment',
    'add_comment',
    { issue: 'ENG-12', body: 'Done **now**' },
    /^mutation.*commentCreate/s,
    { input: { issueId: 'ENG-12', body: 'Done **now**' } },
  ],
];

for (const [row, action, params, field, variables] of CALLS) {
  test(`${row} sends its own query, what the caller gave in the variables alone`, async (t) => {
    const data = ANSWERS[action];
    const { execute, standIn } = await connectAdapter(t, LINEAR, () => ({ json: { data } }), '/graphql');

    assert.deepEqual(await execute(action, params), data);

    const { method, path, body, headers } = standIn.last();
    assert.deepEqual([method, path, headers.authorization], ['POST', '/graphql', 'Bearer the-token-of-it']);
    const { query, variables: sent } = Object(body);
    assert.match(query, field);
    assert.deepEqual(sent, variables);
  });
}

test('A-40, A-65: linear reads with two actions and writes with three', () => {
  assert.equal(LINEAR.baseUrl, 'https://api.linear.app/graphql');
  assert.deepEqual(
    LINEAR.actions.map(({ name, risk }) => `${name} ${risk}`),
    ['list_issues read', 'get_issue read', 'create_issue write', 'update_issue write', 'add_comment write'],
  );
});

test('S-A-29: errors of GraphQL are a failure with the first message, whatever the status says', async (t) => {
  const replies = [
    { json: { data: null, errors: [{ message: `Entity not found: ${'x'.repeat(500)}` }, { message: 'second' }] } },
    { json: { data: { issueCreate: { success: false, issue: null } } } },
    { json: ['no GraphQL'] },
  ];
  const { execute } = await connectAdapter(t, LINEAR, (_seen, count) => replies[count - 1] ?? {}, '/graphql');
  const create = (): Promise<unknown> => execute('create_issue', { team: 't1', title: 'x' });

  await assert.rejects(create(), {
    code: 'integration_failed',
    message: `linear: Entity not found: ${'x'.repeat(182)}`,
  });
  await assert.rejects(create(), { message: 'linear did not do it, and does not say why' });
  await assert.rejects(create(), {
    code: 'outcome_unknown',
    message: 'linear answered with what is not GraphQL: whether it was done is not known',
  });
});

test('a mutation that was done in spite of errors counts as done, with them, and one that may have been done is not called failed', async (t) => {
  const errors = [{ message: 'Cannot read assignee', path: ['issueCreate', 'issue', 'assignee'] }];
  const done = { issueCreate: { success: true, issue: { id: 'i1', assignee: null } } };
  const replies = [
    { json: { data: done, errors } },
    { json: { data: null, errors } },
    { json: { data: { issueCreate: null }, errors } },
    { json: { data: null, errors: [{ message: 'Team not found', path: ['issueCreate'] }] } },
    { json: { errors: [{ message: 'Syntax error' }] } },
    { json: { data: { issueCreate: { success: false } }, errors } },
    { json: { data: { issues: { nodes: [] } }, errors } },
  ];
  const { execute } = await connectAdapter(t, LINEAR, (_seen, count) => replies[count - 1] ?? {}, '/graphql');
  const create = (): Promise<unknown> => execute('create_issue', { team: 't1', title: 'x' });
  const unknown = {
    code: 'outcome_unknown',
    message: 'linear: Cannot read assignee: whether it was done is not known',
  };

  assert.deepEqual(await create(), { ...done, errors: ['Cannot read assignee'] });
  await assert.rejects(create(), unknown);
  await assert.rejects(create(), unknown);
  await assert.rejects(create(), { code: 'integration_failed', message: 'linear: Team not found' });
  await assert.rejects(create(), { code: 'integration_failed', message: 'linear: Syntax error' });
  await assert.rejects(create(), { code: 'integration_failed', message: 'linear: Cannot read assignee' });
  await assert.rejects(execute('list_issues', {}), { code: 'integration_failed' });
});

test('an answer without errors that lacks what was asked for is a failure, of each action', async (t) => {
  let data: unknown;
  const { execute, check } = await connectAdapter(t, LINEAR, () => ({ json: { data } }), '/graphql');

  for (const [, action, params] of CALLS) {
    const [field = ''] = Object.keys(Object(ANSWERS[action]));
    const isRead = action === 'list_issues' || action === 'get_issue';
    const said = isRead
      ? { code: 'integration_failed', message: 'linear answered without what it was asked for' }
      : { code: 'outcome_unknown', message: 'linear does not say that it did it: whether it was done is not known' };
    for (data of [{ [field]: null }, {}, null, [], { [field]: 'done' }, { other: { success: true, issue: ISSUE } }]) {
      await assert.rejects(execute(action, params), said, `${action}: ${JSON.stringify(data)}`);
    }
    if (isRead) continue;
    data = { [field]: { success: false } };
    await assert.rejects(execute(action, params), { code: 'integration_failed', message: /^linear did not do it/ });
    for (data of [{ [field]: { success: true } }, { [field]: { success: true, issue: null, comment: null } }]) {
      await assert.rejects(execute(action, params), {
        code: 'outcome_unknown',
        message: /^linear gives no (issue|comm)/,
      });
    }
  }
  data = { viewer: null };
  await assert.rejects(check(), { code: 'integration_failed' });
});

test('an empty answer with errors does not count as done', async (t) => {
  const json = { data: {}, errors: [{ message: 'Team not found', path: ['issueCreate'] }] };
  const { execute } = await connectAdapter(t, LINEAR, () => ({ json }), '/graphql');

  const refused = { code: 'integration_failed', message: 'linear: Team not found' };
  await assert.rejects(execute('create_issue', { team: 't1', title: 'x' }), refused);
});

test('a personal key of Linear stands in the header by itself', () => {
  assert.deepEqual(LINEAR.headersFor('lin_api_1'), { authorization: 'lin_api_1' });
});
