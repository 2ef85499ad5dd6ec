import { z } from 'zod';
import { defineAction } from '../action.js';
import { defineAdapter } from '../adapter.js';
import { failure, type Upstream } from '../upstream.js';
import { excerptOf, UpstreamFailure } from '../upstream-failure.js';

const ISSUE =
  'id identifier title description priority url createdAt updatedAt state { id name } assignee { id name } team { id key }';

const LIST = `query($filter: IssueFilter, $first: Int!, $after: String) {
  issues(filter: $filter, first: $first, after: $after) { nodes { ${ISSUE} } pageInfo { hasNextPage endCursor } } }`;
const GET = `query($id: String!) {
  issue(id: $id) { ${ISSUE} comments(first: 50) { nodes { id body createdAt user { id name } } } } }`;
const CREATE = `mutation($input: IssueCreateInput!) { issueCreate(input: $input) { success issue { ${ISSUE} } } }`;
const UPDATE = `mutation($id: String!, $input: IssueUpdateInput!) {
  issueUpdate(id: $id, input: $input) { success issue { ${ISSUE} } } }`;
const COMMENT = `mutation($input: CommentCreateInput!) {
  commentCreate(input: $input) { success comment { id body createdAt url } } }`;

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

/** What a mutation answers that was done. */
const Done = z.record(z.string(), z.object({ success: z.literal(true) }));

/** What a mutation answers that did nothing. */
const Refused = z.record(z.string(), z.object({ success: z.literal(false) }));

/** Linear's GraphQL API. */
export const LINEAR = defineAdapter({
  integration: 'linear',
  baseUrl: 'https://api.linear.app/graphql',
  // A personal key stands by itself, the token of an application behind Bearer.
  headersFor: (token) => ({ authorization: token.startsWith('lin_api_') ? token : `Bearer ${token}` }),
  check: (via) => ask(via, { query: 'query { viewer { id } }', isSafe: true }),
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
        return ask(via, { query: LIST, variables: { filter, first: limit, after }, isSafe: true });
      },
    }),
    defineAction({
      name: 'get_issue',
      description: 'Read an issue with its comments',
      risk: 'read',
      params: { issue: Issue },
      run: ({ issue }, via) => ask(via, { query: GET, variables: { id: issue }, isSafe: true }),
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
        ask(via, { query: CREATE, variables: { input: { teamId, assigneeId, ...rest } } }),
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
        ask(via, { query: UPDATE, variables: { id, input: { stateId, assigneeId, ...rest } } }),
    }),
    defineAction({
      name: 'add_comment',
      description: 'Comment on an issue',
      risk: 'write',
      params: { issue: Issue, body: Text },
      run: ({ issue: issueId, body }, via) => ask(via, { query: COMMENT, variables: { input: { issueId, body } } }),
    }),
  ],
});

function isThis(id: string) {
  return { id: { eq: id } };
}

/**
 * Gives what the service found or did; of what was done in spite of errors, these, too. @throws {UpstreamFailure} its
 * first error (S-A-29)
 */
async function ask(
  via: Upstream,
  { query, variables, isSafe = false }: { query: string; variables?: unknown; isSafe?: boolean },
): Promise<unknown> {
  const answer = Answer.safeParse(await via({ method: 'POST', path: '', body: { query, variables }, isSafe }));
  if (!answer.success) throw failure('linear answered with what is not GraphQL', isSafe);
  const { data, errors = [] } = answer.data;
  const [error] = errors;
  if (error !== undefined) {
    const isDone = !isSafe && Done.safeParse(data).success;
    if (isDone)
      return { ...Object(data), errors: errors.slice(0, MAX_ERRORS).map(({ message }) => excerptOf(message)) };
    const isKnown = isSafe || Refused.safeParse(data).success || !errors.some(isBelowMutation);
    throw failure(`linear: ${excerptOf(error.message)}`, isKnown);
  }
  if (Refused.safeParse(data).success) {
    throw new UpstreamFailure('integration_failed', 'linear did not do it, and does not say why');
  }
  return data;
}

/**
 * What lies below the mutation came after it was done; what has no path came before anything ran (GraphQL, 6.4.4 and
 * 7.1.2).
 */
function isBelowMutation({ path }: { path?: readonly (string | number)[] | null | undefined }): boolean {
  return (path?.length ?? 0) > 1;
}
