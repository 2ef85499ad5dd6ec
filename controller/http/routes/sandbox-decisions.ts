import { z } from 'zod';
import { MusterError } from '../../../protocol/errors.js';
import { toActionInvocation } from '../../sandboxes/action-views.js';
import { actionFailure, ofDecision, type Verb } from '../action-failures.js';
import type { GrantView, GrantWithApproval } from '../grant-schemas.js';
import {
  ActionFailure,
  type ActionGrant,
  ActionInvocation,
  ApproveAction,
  DenyAction,
  InvokeAnswer,
} from '../sandbox-action-schemas.js';
import { SandboxId } from '../sandbox-schemas.js';
import { InvocationId, type InvocationView, WaitHeaders } from '../schemas.js';
import { type App, found, principalOf, type RouteDeps } from './route.js';
import { type Asked, asSandbox, sendOutcome } from './sandbox-asked.js';

const BASE = '/:sandbox_id/actions';
const FAILURE = { default: ActionFailure.describe('What went wrong') };
const Params = z.strictObject({ sandbox_id: SandboxId, id: InvocationId });
const Answer = z.object({ invocation: ActionInvocation });

/** What people say to what a sandbox asked for (A-72, A-73, A-82…A-85). */
export function sandboxDecisionRoutes(app: App, deps: RouteDeps): void {
  approveRoute(app, deps);
  denyRoute(app, deps);
}

function approveRoute(app: App, deps: RouteDeps): void {
  app.route({
    method: 'POST',
    url: `${BASE}/invocations/:id/approve`,
    config: { rule: 'admin' },
    errorHandler: actionFailure(ofDecision('approve')),
    schema: {
      summary: 'Approve what a sandbox asked for',
      description:
        'With a `digest` only if it is still what you saw. With the mode `grant` the next ones for the same action and target need no approval: of this sandbox, or of everybody with the scope `org`; when the approval fails nothing is granted. 200 with the result, 202 when that takes longer than 15 s or `Prefer: wait=N`, 502 when it failed, 409 when it does not wait any more, 410 when its time is over.',
      tags: ['sandboxes'],
      headers: WaitHeaders,
      params: Params,
      body: ApproveAction,
      response: { 200: InvokeAnswer, 202: InvokeAnswer, 502: InvokeAnswer, ...FAILURE },
    },
    handler: async (request, reply) => {
      const sandbox = await asSandbox(deps, request);
      const { id } = request.params;
      const shown = await waitingOf(sandbox, { id, verb: 'approve' });
      const digest = request.body?.digest ?? shown.digest;
      const wish = wishOf(request.body);
      const approved = await deps.services.invocations.approve(principalOf(request), id, { digest, grant: wish });
      const grant = wish === undefined ? undefined : await deps.services.grants.ofInvocation(sandbox.org, id);
      const more = grant === undefined ? {} : { grant: toActionGrant(grant) };
      return sendOutcome(deps, { request, reply, sandbox, more }, found(approved, 'such invocation'));
    },
  });
}

function denyRoute(app: App, deps: RouteDeps): void {
  app.route({
    method: 'POST',
    url: `${BASE}/invocations/:id/deny`,
    config: { rule: 'admin' },
    errorHandler: actionFailure(ofDecision('deny')),
    schema: {
      summary: 'Deny what a sandbox asked for',
      tags: ['sandboxes'],
      params: Params,
      body: DenyAction,
      response: { 200: Answer, ...FAILURE },
    },
    handler: async (request) => {
      const sandbox = await asSandbox(deps, request);
      const { id } = request.params;
      await waitingOf(sandbox, { id, verb: 'deny' });
      const denied = await deps.services.invocations.deny(principalOf(request), id, { reason: request.body?.reason });
      return { invocation: toActionInvocation(found(denied, 'such invocation'), sandbox) };
    },
  });
}

/** What the approval is to grant beside it; undefined when it is for this one alone. */
function wishOf(body: ApproveAction): GrantWithApproval | undefined {
  if (body?.mode !== 'grant') return undefined;
  const { scope, maxCalls: max_calls, expiresIn: expires_in } = body;
  return { scope, max_calls, expires_in };
}

function toActionGrant({ id, scope, sandbox, max_calls, expires_at }: GrantView): ActionGrant {
  return { id, scope, sessionId: sandbox, maxCalls: max_calls, expiresAt: expires_at };
}

/**
 * What waits for a person, of this sandbox.
 * @throws {MusterError} not_found, conflict
 */
async function waitingOf({ org, seen }: Asked, { id, verb }: { id: string; verb: Verb }): Promise<InvocationView> {
  const invocation = found(await seen.invocations.get(org, id), 'such invocation');
  const { status } = invocation;
  if (status === 'pending' || (status === 'expired' && verb === 'approve')) return invocation;
  throw new MusterError('conflict', `Cannot ${verb} invocation in status: ${status}`);
}
