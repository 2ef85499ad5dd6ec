import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { MusterError } from '../../../protocol/errors.js';
import { reaches } from '../../identity/roles.js';
import type { Seen } from '../../sandboxes/contract.js';
import type { InvocationService, Principal, Services } from '../../services.js';
import { splitAsk } from '../asks.js';
import { whenGone } from '../hang-up.js';
import { InvocationsQuery } from '../list-schemas.js';
import { DEFAULT_WAIT_SECONDS, waitPreference } from '../prefer.js';
import {
  AnyAsk,
  AskHeaders,
  CancelInvocation,
  type ExecutionView,
  InvocationAnswer,
  InvocationId,
  InvocationPreview,
  InvocationView,
  pageOf,
  WaitHeaders,
} from '../schemas.js';
import { ENDED_STATUSES } from '../statuses.js';
import { API, type App, FAILURE, found, principalOf, type RouteDeps, toPage } from './route.js';

/** An answer holds the executions while they are at most this many, and print little enough for one page. */
const MAX_INLINE_EXECUTIONS = 200;

/** What the description of a route that waits ends with, before its default. */
export const WAIT_NOTE =
  '`Prefer: wait=N` (RFC 7240) holds the answer back until the invocation has ended, at most N seconds (0 to 60).';

/** What the description of a list of invocations says of its pages. */
export const PAGE_NOTE =
  'A page may hold fewer items than `limit` and not be the last: whoever asks chooses how many nodes they name.';

/** Asking for actions, and what became of it. */
export function invocationRoutes(app: App, deps: RouteDeps): void {
  const { seenBy } = deps.services;

  app.route({
    method: 'POST',
    url: `${API}/invocations`,
    config: { rule: 'operator or sandbox' },
    schema: {
      summary: 'Ask for an action',
      description: `${WAIT_NOTE} 15 s without the header.`,
      tags: ['invocations'],
      headers: AskHeaders,
      body: AnyAsk,
      response: { 200: InvocationAnswer, 202: InvocationAnswer, ...FAILURE },
    },
    handler: async (request, reply) => {
      const principal = principalOf(request);
      const seen = seenBy(principal);
      const { invocations } = seen;
      const { invocation, executions } = await create(seen, principal, request);
      reply.header('location', `${API}/invocations/${invocation.id}`);
      if (invocation.status === 'denied') {
        throw new MusterError('denied_by_policy', invocation.error ?? 'The policy denies this action');
      }
      // What waits for a person is not held back for it, unless the caller prefers that.
      const defaultSeconds = invocation.status === 'pending' ? 0 : DEFAULT_WAIT_SECONDS;
      const wait = { request, reply, stopping: deps.stopping, defaultSeconds, executions };
      const answer = await answerWhenDone(invocations, wait, invocation);
      return reply.code(ENDED_STATUSES.has(answer.invocation.status) ? 200 : 202).send(answer);
    },
  });

  app.route({
    method: 'POST',
    url: `${API}/invocations/preview`,
    config: { rule: 'operator or sandbox' },
    schema: {
      summary: 'See what an ask would come to',
      description:
        'Which nodes, how many of them are away, the risk and what the policy says. Nothing is stored. An ask that carries the `digest` is refused with plan_changed when it would come to something else by then.',
      tags: ['invocations'],
      body: AnyAsk,
      response: { 200: InvocationPreview, ...FAILURE },
    },
    handler: (request) => {
      const asked = splitAsk(request.body);
      const principal = principalOf(request);
      const { invocations, integrations } = seenBy(principal);
      return asked.kind === 'nodes'
        ? invocations.preview(principal, asked.ask)
        : integrations.preview(principal, asked.ask);
    },
  });

  app.route({
    method: 'GET',
    url: `${API}/invocations`,
    config: { rule: 'viewer or sandbox' },
    schema: {
      summary: 'List the invocations, newest first',
      description: PAGE_NOTE,
      tags: ['invocations'],
      querystring: InvocationsQuery,
      response: { 200: pageOf(InvocationView), ...FAILURE },
    },
    handler: async (request) => {
      const principal = principalOf(request);
      return toPage(await seenBy(principal).invocations.list(principal.org, request.query));
    },
  });

  app.route({
    method: 'GET',
    url: `${API}/invocations/:id`,
    config: { rule: 'viewer or sandbox' },
    schema: {
      summary: 'Read an invocation',
      description: `${WAIT_NOTE} Without the header the answer comes at once.`,
      tags: ['invocations'],
      headers: WaitHeaders,
      params: z.strictObject({ id: InvocationId }),
      response: { 200: InvocationAnswer, ...FAILURE },
    },
    handler: async (request, reply) => {
      const principal = principalOf(request);
      const { org, role } = principal;
      const { invocations } = seenBy(principal);
      const invocation = await invocations.get(org, request.params.id);
      const wait = { request, reply, stopping: deps.stopping, defaultSeconds: 0 };
      const answer = await answerWhenDone(invocations, wait, found(invocation, 'such invocation'));
      // Whoever approves has to see what (C-21).
      const whole = reaches(role, 'admin')
        ? await deps.services.invocations.parametersOf(org, request.params.id)
        : undefined;
      return whole === undefined ? answer : { ...answer, invocation: { ...answer.invocation, parameters: whole } };
    },
  });

  cancelRoute(app, deps);
}

/** Asks nodes, or an integration. */
async function create(
  { invocations, integrations }: Seen,
  principal: Principal,
  {
    body,
    headers,
    bodySha256,
  }: Pick<FastifyRequest, 'bodySha256'> & {
    body: AnyAsk;
    headers: { 'idempotency-key'?: string | undefined };
  },
): ReturnType<InvocationService['create']> {
  const request = { idempotencyKey: headers['idempotency-key'], bodySha256 };
  const asked = splitAsk(body);
  return asked.kind === 'nodes'
    ? invocations.create(principal, asked.ask, request)
    : integrations.invoke(principal, asked.ask, request);
}

function cancelRoute(app: App, deps: RouteDeps): void {
  app.route({
    method: 'POST',
    url: `${API}/invocations/:id/cancel`,
    config: { rule: 'operator or sandbox' },
    schema: {
      summary: 'Want an invocation to end',
      description: `What has not left the controller ends at once; what may have begun ends when its node says how. Asking again is the same. 200 when it has ended, 202 while nodes are still asked. ${WAIT_NOTE} 15 s without the header.`,
      tags: ['invocations'],
      headers: WaitHeaders,
      params: z.strictObject({ id: InvocationId }),
      body: CancelInvocation,
      response: { 200: InvocationAnswer, 202: InvocationAnswer, ...FAILURE },
    },
    handler: async (request, reply) => {
      const principal = principalOf(request);
      const { invocations } = deps.services.seenBy(principal);
      const invocation = await invocations.cancel(principal, request.params.id, request.body);
      const wait = { request, reply, stopping: deps.stopping, defaultSeconds: DEFAULT_WAIT_SECONDS };
      const answer = await answerWhenDone(invocations, wait, found(invocation, 'such invocation'));
      return reply.code(ENDED_STATUSES.has(answer.invocation.status) ? 200 : 202).send(answer);
    },
  });
}

/** The invocation once it has ended or the client has waited as long as it prefers, with its executions while they are few. */
export async function answerWhenDone(
  invocations: Pick<Services['invocations'], 'whenDone' | 'executions' | 'resultOf'>,
  {
    request,
    reply,
    stopping,
    defaultSeconds,
    executions,
  }: {
    request: Pick<FastifyRequest, 'principal'> & { headers: { prefer?: string | undefined } };
    reply: Pick<FastifyReply, 'raw' | 'header'>;
    stopping: AbortSignal;
    defaultSeconds: number;
    /** Those of the invocation as it is given here, where they are known. */
    executions?: (() => ExecutionView[]) | undefined;
  },
  invocation: InvocationView,
): Promise<InvocationAnswer> {
  const { org } = principalOf(request);
  const { seconds, applied } = waitPreference(request.headers.prefer, defaultSeconds);
  reply.header('vary', 'Prefer');
  if (applied !== undefined) reply.header('preference-applied', applied);

  let latest = invocation;
  if (seconds > 0 && !ENDED_STATUSES.has(invocation.status)) {
    const wait = { ms: seconds * 1000, signal: whenGone(reply, stopping) };
    latest = (await invocations.whenDone(org, invocation.id, wait)) ?? invocation;
  }
  if ('integration' in latest.target) {
    return { invocation: latest, executions: [], ...(await invocations.resultOf(org, latest.id)) };
  }
  if (latest.counts.total > MAX_INLINE_EXECUTIONS) return { invocation: latest };
  if (latest === invocation && executions !== undefined) return { invocation, executions: executions() };
  const page = await invocations.executions(org, latest.id, { limit: MAX_INLINE_EXECUTIONS });
  if (page?.next_cursor != null) return { invocation: latest }; // they print more than an answer holds
  return { invocation: latest, executions: [...(page?.items ?? [])] };
}
