import type { FastifyReply, FastifyRequest } from 'fastify';
import type { MusterError } from '../../protocol/errors.js';
import { PROBLEM_TYPE, retryAfterSeconds, toProblem, toTold } from './problems.js';
import { RefusedByRule } from './rules.js';
import { InvokeAction } from './sandbox-action-schemas.js';
import { RequestFault } from './validation.js';

/** How a route tells a failure: its own status and sentence; undefined where the usual ones do. */
export type OwnFailure = (
  told: MusterError,
  request: Pick<FastifyRequest, 'body'>,
) => Readonly<{ status: number; error: string }> | undefined;

type Handler = (
  this: unknown,
  error: unknown,
  request: Pick<FastifyRequest, 'body' | 'id' | 'log'>,
  reply: FastifyReply,
) => FastifyReply;

/** Failures as problems (RFC 9457) that also hold `error`, the sentence that callers of these routes look for. */
export function actionFailure(own: OwnFailure): Handler {
  return (error, request, reply) => {
    const told = toTold(error);
    const problem = toProblem(told, request.id);
    if (problem.status >= 500) request.log.error({ err: error }, 'request failed');
    const { status, error: sentence } = own(told, request) ?? { status: problem.status, error: problem.detail };
    if (status === 401) reply.header('www-authenticate', 'Bearer realm="muster"');
    const retryAfter = retryAfterSeconds(told);
    if (retryAfter !== undefined) reply.header('retry-after', retryAfter);
    return reply
      .code(status)
      .type(PROBLEM_TYPE)
      .serializer((body: unknown) => JSON.stringify(body))
      .send({ ...problem, status, error: sentence });
  };
}

/** What a person may say to what waits. */
export type Verb = 'approve' | 'deny';

/** No sandbox decides, whatever it knows. */
export const ofDecision =
  (verb: Verb): OwnFailure =>
  (told) => {
    if (told instanceof RefusedByRule) {
      return told.role === 'sandbox'
        ? { status: 401, error: 'User authentication required' }
        : { status: 403, error: `Admin or owner role required to ${verb} actions` };
    }
    if (told.code !== 'expired') return undefined;
    return verb === 'deny'
      ? { status: 409, error: 'Cannot deny invocation in status: expired' }
      : { status: 410, error: told.message };
  };

/** What an ask is told, in the words of A's routes (S-A-4, S-A-6, S-A-7). */
export const ofInvoke: OwnFailure = (told, { body }) => {
  if (told instanceof RefusedByRule) return { status: 403, error: 'Only sandbox agents can invoke actions' };
  const asked = InvokeAction.safeParse(body);
  if (!asked.success && told instanceof RequestFault) return { status: 400, error: `Invalid request: ${told.message}` };
  const { integration = '', action = '' } = asked.data ?? {};
  switch (told.code) {
    case 'unknown_node':
    case 'unknown_integration':
      return { status: 400, error: `Unknown integration: ${integration}` };
    case 'unknown_action':
      return { status: 400, error: `Unknown action: ${integration}/${action}` };
    case 'outside_sandbox':
      return { status: 400, error: `Integration "${integration}" not connected to this session` };
    case 'missing_required_parameter':
    case 'invalid_parameter':
      return { status: 400, error: `Invalid params: ${told.message}` };
    case 'too_many_pending':
      return { status: 429, error: 'Too many pending approvals. Resolve existing ones first.' };
    default:
      return undefined;
  }
};

/** As everywhere else. */
export const usual: OwnFailure = () => undefined;
