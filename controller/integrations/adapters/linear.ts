import { z } from 'zod';
import { defineAction } from '../action.js';
import { defineAdapter } from '../adapter.js';
import { failure, type Upstream } from '../upstream.js';
import { excerptOf } from '../upstream-failure.js';

const ISSUE =
  'id identifier title description priority url createdAt updatedAt state { id name } assignee { id name } team { id key }';

/** `field` is what is asked for; a mutation gives an object in it, under `gives`, and says of itself whether it was done. */
type Operation = Readonly<{ query: string; field: string; gives?: 'issue' | 'comment' }>;

const VIEWER: Operation = { field: 'viewer', query: 'query { viewer { id } }' };
const LIST: Operation = {
  field: 'issues',
  query: `query($filter: IssueFilter, $first: Int!, $after: String) {
  issues(filter: $filter, first: $first, after: $after) { nodes { ${ISSUE} } pageInfo { hasNextPage endCursor } } }`,
};
const GET: Operation = {
  field: 'issue',
  query: `query($id: String!) {
  issue(id: $id) { ${ISSUE} comments(first: 50) { nodes { id body createdAt user { id name } } } } }`,
};
const CREATE: Operation = {
  ...{ field: 'issueCreate', gives: 'issue' },
  query: `mutation($input: IssueCreateInput!) { issueCreate(input: $input) { success issue { ${ISSUE} } } }`,
};
const UPDATE: Operation = {
  ...{ field: 'issueUpdate', gives: 'issue' },
  query: `mutation($id: String!, $input: IssueUpdateInput!) {
  issueUpdate(id: $id, input: $input) { success issue { ${ISSUE} } } }`,
};
const COMMENT: Operation = {
  ...{ field: 'commentCreate', gives: 'comment' },
  query: `mutation($input: CommentCreateInput!) {
  commentCreate(input: $input) { success comment { id body createdAt url } } }`,
};

/** Of the errors beside what was done so many are told. */
const MAX_ERRORS = 5;

const Issue = z.string().max(64).describe('Id of the issue, or its identifier such as ENG-12');
const Title = z.string().max(512).describe('The title');
const Text = z.string().max(32_768).describe('In Markdown');
const User = z.string().max(64).describe('Id of a user');
const Priority = z.int().min(0).max(4).describe('0 none, 1 urgent, 2 high, 3 normal, 4 low');

/** What a GraphQL service answers: it may say 200 and have failed. */
const Answer = z
  .object({
    data: z.unknown().optional(),
    errors: z
      .array(z.object({ message: z.string(), path: z.array(z.union([z.string(), z.number()])).nullish() }))
      .optional(),
  })
  .refine(({ data, errors }) => data !== undefined || errors !== undefined);

const Members = z.record(z.string(), z.unknown());

/** What a mutation says of itself. */
const Said = z.object({ success: z.boolean() });

/** Linear's GraphQL API. */
export const LINEAR = defineAdapter({
  integration: 'linear',
  baseUrl: 'https://api.linear.app/graphql',
  // A personal key stands by itself, the token of an application behind Bearer.
  headersFor: (token) => ({ authorization: token.startsWith('lin_api_') ? token : `Bearer ${token}` }),
  check: (via) => ask(via, VIEWER),
  actions: [
    defineAction({
      name: 'list_issues',
      description: 'List issues, of a team or a project',
      risk: 'read',
      params: {
        team: z.string().max(64).optional().describe('Id of a team'),
        project: z.string().max(64).optional().describe('Id of a project'),
        limit: z.int().min(1).max(100).default(50).describe('At most so many'),
        after: z.string().max(256).optional().describe('endCursor of the page before'),
      },
      run: ({ team, project, limit, after }, via) => {
        const filter = { ...(team && { team: isThis(team) }), ...(project && { project: isThis(project) }) };
        return ask(via, LIST, { filter, first: limit, after });
      },
    }),
    defineAction({
      name: 'get_issue',
      description: 'Read an issue with its comments',
      risk: 'read',
      params: { issue: Issue },
      run: ({ issue }, via) => ask(via, GET, { id: issue }),
    }),
    defineAction({
      name: 'create_issue',
      description: 'Open an issue',
      risk: 'write',
      params: {
        team: z.string().max(64).describe('Id of the team'),
        title: Title,
        description: Text.optional(),
        priority: Priority.optional(),
        assignee: User.optional(),
      },
      run: ({ team: teamId, assignee: assigneeId, ...rest }, via) =>
        ask(via, CREATE, { input: { teamId, assigneeId, ...rest } }),
    }),
    defineAction({
      name: 'update_issue',
      description: 'Change an issue',
      risk: 'write',
      params: {
        issue: Issue,
        title: Title.optional(),
        description: Text.optional(),
        state: z.string().max(64).optional().describe('Id of a workflow state'),
        priority: Priority.optional(),
        assignee: User.optional(),
      },
      run: ({ issue: id, state: stateId, assignee: assigneeId, ...rest }, via) =>
        ask(via, UPDATE, { id, input: { stateId, assigneeId, ...rest } }),
    }),
    defineAction({
      name: 'add_comment',
      description: 'Comment on an issue',
      risk: 'write',
      params: { issue: Issue, body: Text },
      run: ({ issue: issueId, body }, via) => ask(via, COMMENT, { input: { issueId, body } }),
    }),
  ],
});

function isThis(id: string) {
  return { id: { eq: id } };
}

/**
 * Gives what the service found or did; of what was done in spite of errors, these, too. @throws {UpstreamFailure} its
 * first error (S-A-29), and when it does not answer with what it was asked for
 */
async function ask(via: Upstream, operation: Operation, variables?: unknown): Promise<unknown> {
  const { query, field, gives } = operation;
  const isSafe = gives === undefined;
  const answer = Answer.safeParse(await via({ method: 'POST', path: '', body: { query, variables }, isSafe }));
  if (!answer.success) throw failure('linear answered with what is not GraphQL', isSafe);
  const { data, errors = [] } = answer.data;
  const given = memberOf(data, field);
  const isDone = isSafe ? undefined : Said.safeParse(given).data?.success;
  const [error] = errors;
  if (error !== undefined) {
    if (isDone === true) {
      return { ...Object(data), errors: errors.slice(0, MAX_ERRORS).map(({ message }) => excerptOf(message)) };
    }
    const isKnown = isSafe || isDone === false || !errors.some(isBelowMutation);
    throw failure(`linear: ${excerptOf(error.message)}`, isKnown);
  }
  refuseHollow(isSafe ? given : memberOf(given, gives), { isDone, gives });
  return data;
}

/**
 * An answer without errors holds what it was asked for. `value` is what should be an object.
 * @throws {UpstreamFailure} when it does not
 */
function refuseHollow(
  value: unknown,
  { isDone, gives }: Readonly<{ isDone: boolean | undefined; gives: Operation['gives'] }>,
): void {
  const isSafe = gives === undefined;
  if (isDone === false) throw failure('linear did not do it, and does not say why', true);
  if (!isSafe && isDone === undefined) throw failure('linear does not say that it did it', false);
  if (Members.safeParse(value).success) return;
  throw failure(isSafe ? 'linear answered without what it was asked for' : `linear gives no ${gives}`, isSafe);
}

/** Undefined for what has no such member, or none at all. */
function memberOf(value: unknown, name: string): unknown {
  return Members.safeParse(value).data?.[name];
}

/**
 * What lies below the mutation came after it was done; what has no path came before anything ran (GraphQL, 6.4.4 and
 * 7.1.2).
 */
function isBelowMutation({ path }: { path?: readonly (string | number)[] | null | undefined }): boolean {
  return (path?.length ?? 0) > 1;
}
