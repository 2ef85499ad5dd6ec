import { z } from 'zod';
import { GrantView } from '../grant-schemas.js';
import { DEFAULT_WAIT_SECONDS } from '../prefer.js';
import {
  ApproveInvocation,
  DenyInvocation,
  InvocationAnswer,
  InvocationId,
  InvocationView,
  PageQuery,
  pageOf,
  WaitHeaders,
} from '../schemas.js';
import { ENDED_STATUSES } from '../statuses.js';
import { answerWhenDone, PAGE_NOTE, WAIT_NOTE } from './invocations.js';
import { API, type App, FAILURE, found, principalOf, type RouteDeps, toPage } from './route.js';

const Params = z.strictObject({ id: InvocationId });
const Answer = z.object({ invocation: InvocationView });
const Approved = InvocationAnswer.extend({ grant: GrantView.optional().describe('What was granted with it') });

/** What waits for a person, and what they say to it. */
export function approvalRoutes(app: App, { services: { invocations, grants }, stopping }: RouteDeps): void {
  app.route({
    method: 'GET',
    url: `${API}/approvals`,
    config: { rule: 'viewer' },
    schema: {
      summary: 'List what waits for approval, oldest first',
      description: PAGE_NOTE,
      tags: ['approvals'],
      querystring: PageQuery,
      response: { 200: pageOf(InvocationView), ...FAILURE },
    },
    handler: async (request) => toPage(await invocations.pending(principalOf(request).org, request.query)),
  });

  app.route({
    method: 'POST',
    url: `${API}/invocations/:id/approve`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Approve what waits',
      description: `\`digest\` is the one of the invocation as you saw it. 409 when it waits no more, or is no longer the same; 410 when its time is over. Its time to reach the nodes begins now. 200 when it has ended, 202 while nodes are still asked. ${WAIT_NOTE} 15 s without the header.`,
      tags: ['approvals'],
      headers: WaitHeaders,
      params: Params,
      body: ApproveInvocation,
      response: { 200: Approved, 202: Approved, ...FAILURE },
    },
    handler: async (request, reply) => {
      const principal = principalOf(request);
      const approved = await invocations.approve(principal, request.params.id, request.body);
      const { grant: wish } = request.body;
      const grant = wish === undefined ? undefined : await grants.ofInvocation(principal.org, request.params.id);
      const wait = { request, reply, stopping, defaultSeconds: DEFAULT_WAIT_SECONDS };
      const answer = await answerWhenDone(invocations, wait, found(approved, 'such invocation'));
      reply.header('location', `${API}/invocations/${answer.invocation.id}`);
      return reply.code(ENDED_STATUSES.has(answer.invocation.status) ? 200 : 202).send({ ...answer, grant });
    },
  });

  app.route({
    method: 'POST',
    url: `${API}/invocations/:id/deny`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Deny what waits',
      tags: ['approvals'],
      params: Params,
      body: DenyInvocation,
      response: { 200: Answer, ...FAILURE },
    },
    handler: async (request) => {
      const denied = await invocations.deny(principalOf(request), request.params.id, request.body);
      return { invocation: found(denied, 'such invocation') };
    },
  });
}
