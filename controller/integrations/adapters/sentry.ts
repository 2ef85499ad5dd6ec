import { z } from 'zod';
import { defineAction } from '../action.js';
import { defineAdapter } from '../adapter.js';
import { path } from '../path.js';

const Organization = z.string().max(100).describe('Slug of the organization');
const Issue = z.string().max(64).describe('Id of the issue');

/** Sentry's REST API. */
export const SENTRY = defineAdapter({
  integration: 'sentry',
  baseUrl: 'https://sentry.io/api/0',
  check: (via) => via({ path: '/', answer: 'json' }),
  actions: [
    defineAction({
      name: 'list_issues',
      description: 'List the issues of a project',
      risk: 'read',
      params: {
        organization: Organization,
        project: z.string().max(100).describe('Slug of the project'),
        query: z.string().max(1024).optional().describe('Search of Sentry, such as is:unresolved'),
        cursor: z.string().max(256).optional().describe('Where the page begins, as Sentry gave it'),
      },
      run: ({ organization, project, query, cursor }, via) =>
        via({ path: path`/projects/${organization}/${project}/issues/`, query: { query, cursor }, answer: 'list' }),
    }),
    defineAction({
      name: 'get_issue',
      description: 'Read an issue',
      risk: 'read',
      params: { issue: Issue },
      run: ({ issue }, via) => via({ path: path`/issues/${issue}/`, answer: 'object' }),
    }),
    defineAction({
      name: 'list_issue_events',
      description: 'List the events of an issue',
      risk: 'read',
      params: { issue: Issue },
      run: ({ issue }, via) => via({ path: path`/issues/${issue}/events/`, answer: 'list' }),
    }),
    defineAction({
      name: 'get_event',
      description: 'Read an event of an issue',
      risk: 'read',
      params: { issue: Issue, event: z.string().max(64).describe('Id of the event, or latest or oldest') },
      run: ({ issue, event }, via) => via({ path: path`/issues/${issue}/events/${event}/`, answer: 'object' }),
    }),
    defineAction({
      name: 'update_issue',
      description: 'Change the status of an issue, or who looks after it',
      risk: 'write',
      params: {
        issue: Issue,
        status: z
          .enum(['resolved', 'resolvedInNextRelease', 'unresolved', 'ignored'])
          .optional()
          .describe('resolved, resolvedInNextRelease, unresolved or ignored'),
        assignedTo: z.string().max(256).optional().describe('A user name, or team:SLUG; empty for nobody'),
      },
      run: ({ issue, ...change }, via) =>
        via({ method: 'PUT', path: path`/issues/${issue}/`, body: change, answer: 'object' }),
    }),
  ],
});
