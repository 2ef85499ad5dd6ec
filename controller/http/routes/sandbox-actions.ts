import { z } from 'zod';
import { MusterError } from '../../../protocol/errors.js';
import { Id } from '../../../protocol/ids.js';
import { Parameters as NodeParameters } from '../../../protocol/messages/parameters.js';
import { DeniedByPolicy } from '../../invocations/denied.js';
import { nodeOf, pageOfAvailable, toActionInvocation } from '../../sandboxes/action-views.js';
import type { InvocationService } from '../../services.js';
import { actionFailure, ofInvoke, usual } from '../action-failures.js';
import {
  ActionFailure,
  ActionInvocation,
  AvailableIntegration,
  AvailableQuery,
  InvokeAction,
  InvokeAnswer,
} from '../sandbox-action-schemas.js';
import { SandboxId } from '../sandbox-schemas.js';
import { AskHeaders, InvocationId, PageQuery, WaitHeaders } from '../schemas.js';
import { faultsOf } from '../validation.js';
import { answerWhenDone } from './invocations.js';
import { type App, found, type RouteDeps } from './route.js';
import { type Asked, asSandbox, sendOutcome } from './sandbox-asked.js';

const BASE = '/:sandbox_id/actions';
const FAILURE = { default: ActionFailure.describe('What went wrong') };
const Params = z.strictObject({ sandbox_id: SandboxId });
const InvocationParams = Params.extend({ id: InvocationId });
const Answer = z.object({ invocation: ActionInvocation });

/** What a sandbox may ask for and asks for, under its own address (A-68… …A-81). */
export function sandboxActionRoutes(app: App, deps: RouteDeps): void {
  availableRoute(app, deps);
  invokeRoute(app, deps);
  readRoutes(app, deps);
}

function availableRoute(app: App, deps: RouteDeps): void {
  app.route({
    method: 'GET',
    url: `${BASE}/available`,
    config: { rule: 'viewer or sandbox' },
    errorHandler: actionFailure(usual),
    schema: {
      summary: 'List what a sandbox may ask for',
      tags: ['sandboxes'],
      params: Params,
      querystring: AvailableQuery,
      response: {
        200: z.object({ integrations: z.array(AvailableIntegration), next_cursor: z.string().nullable() }),
        ...FAILURE,
      },
    },
    handler: async (request) => {
      const { org, seen } = await asSandbox(deps, request);
      const integrations = await seen.integrations.available(org);
      const { items, next_cursor } = pageOfAvailable(integrations, await seen.nodes.actions(org), request.query);
      return { integrations: [...items], next_cursor };
    },
  });
}

function invokeRoute(app: App, deps: RouteDeps): void {
  app.route({
    method: 'POST',
    url: `${BASE}/invoke`,
    config: { rule: 'sandbox' },
    errorHandler: actionFailure(ofInvoke),
    schema: {
      summary: 'Ask for an action',
      description:
        'What only reads is done at once: 200 with the result, 202 when that takes longer than 15 s or `Prefer: wait=N`, 502 when it failed. What changes something waits for a person: 202. What the policy denies: 403 with the invocation.',
      tags: ['sandboxes'],
      headers: AskHeaders,
      params: Params,
      body: InvokeAction,
      response: { 200: InvokeAnswer, 202: InvokeAnswer, 403: InvokeAnswer, 502: InvokeAnswer, ...FAILURE },
    },
    handler: async (request, reply) => {
      const sandbox = await asSandbox(deps, request);
      const asked = await ask(sandbox, request.body, {
        idempotencyKey: request.headers['idempotency-key'],
        bodySha256: request.bodySha256,
      });
      const { invocation, executions } = asked;
      if (invocation.status === 'denied') {
        const error = `Action denied: ${invocation.error ?? 'the policy denies it'}`;
        return reply.code(403).send({ invocation: toActionInvocation(invocation, sandbox), error });
      }
      reply.header('location', `/${request.params.sandbox_id}/actions/invocations/${invocation.id}`);
      return sendOutcome(deps, { request, reply, sandbox, executions }, invocation);
    },
  });
}

/** Asks a node or an integration; what the policy denied is an answer, too. */
async function ask(
  { principal, org, seen }: Asked,
  { integration, action, params, reason }: InvokeAction,
  request: Parameters<InvocationService['create']>[2],
): Promise<Pick<Awaited<ReturnType<InvocationService['create']>>, 'invocation' | 'executions'>> {
  const words = { ...(reason === undefined ? {} : { reason }), confirm: false };
  const node = nodeOf(integration);
  try {
    if (node === undefined) {
      const target = { integration };
      return await seen.integrations.invoke(principal, { action, target, parameters: params, ...words }, request);
    }
    const wanted = { action, target: { nodes: [readNode(node)] }, parameters: readParameters(params), stream: false };
    return await seen.invocations.create(principal, { ...wanted, ...words }, request);
  } catch (error) {
    if (!(error instanceof DeniedByPolicy)) throw error;
    return { invocation: found(await seen.invocations.get(org, error.invocation), 'such invocation') };
  }
}

/** @throws {MusterError} unknown_node */
function readNode(text: string): string {
  const node = Id.safeParse(text);
  if (node.success) return node.data;
  throw new MusterError('unknown_node', 'No node can be called so');
}

/** @throws {MusterError} invalid_parameter */
function readParameters(params: InvokeAction['params']): NodeParameters {
  const parameters = NodeParameters.safeParse(params);
  if (parameters.success) return parameters.data;
  const [fault] = faultsOf(parameters.error.issues, 'params');
  throw new MusterError('invalid_parameter', fault?.detail ?? 'They do not fit what the action takes');
}

function readRoutes(app: App, deps: RouteDeps): void {
  app.route({
    method: 'GET',
    url: `${BASE}/invocations`,
    config: { rule: 'viewer or sandbox' },
    errorHandler: actionFailure(usual),
    schema: {
      summary: 'List what a sandbox asked for, newest first',
      tags: ['sandboxes'],
      params: Params,
      querystring: PageQuery,
      response: {
        200: z.object({ invocations: z.array(ActionInvocation), next_cursor: z.string().nullable() }),
        ...FAILURE,
      },
    },
    handler: async (request) => {
      const sandbox = await asSandbox(deps, request);
      const { items, next_cursor } = await sandbox.seen.invocations.list(sandbox.org, request.query);
      return { invocations: items.map((each) => toActionInvocation(each, sandbox)), next_cursor };
    },
  });

  app.route({
    method: 'GET',
    url: `${BASE}/invocations/:id`,
    config: { rule: 'viewer or sandbox' },
    errorHandler: actionFailure(usual),
    schema: {
      summary: 'Read what a sandbox asked for',
      description: '`Prefer: wait=N` (RFC 7240) holds the answer back until it has ended, at most N seconds (0 to 60).',
      tags: ['sandboxes'],
      headers: WaitHeaders,
      params: InvocationParams,
      response: { 200: Answer, ...FAILURE },
    },
    handler: async (request, reply) => {
      const sandbox = await asSandbox(deps, request);
      const { invocations } = sandbox.seen;
      const before = found(await invocations.get(sandbox.org, request.params.id), 'such invocation');
      const wait = { request, reply, stopping: deps.stopping, defaultSeconds: 0 };
      const { invocation, ...outcome } = await answerWhenDone(invocations, wait, before);
      return { invocation: toActionInvocation(invocation, { ...sandbox, ...outcome }) };
    },
  });
}
