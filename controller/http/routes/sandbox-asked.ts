import type { FastifyReply, FastifyRequest } from 'fastify';
import { toActionInvocation } from '../../sandboxes/action-views.js';
import type { Seen } from '../../sandboxes/contract.js';
import type { Principal } from '../../services.js';
import { DEFAULT_WAIT_SECONDS } from '../prefer.js';
import type { InvokeAnswer } from '../sandbox-action-schemas.js';
import type { InvocationView } from '../schemas.js';
import { ENDED_STATUSES } from '../statuses.js';
import { failureOf } from './container-actions.js';
import { answerWhenDone } from './invocations.js';
import { found, principalOf, type RouteDeps } from './route.js';

/** The sandbox that the address names, and what it sees. */
export type Asked = Readonly<{ principal: Principal; org: string; seen: Seen }>;

/**
 * A sandbox is there for itself and for the people of its org.
 * @throws {MusterError} not_found
 */
export async function asSandbox(
  { services }: RouteDeps,
  request: Pick<FastifyRequest, 'principal'> & { params: { sandbox_id: string } },
): Promise<Asked> {
  const caller = principalOf(request);
  const { sandbox_id: id } = request.params;
  const other = caller.role === 'sandbox' ? undefined : await services.sandboxes.asPrincipal(caller.org, id);
  const principal = found(caller.sandbox?.id === id ? caller : other, 'such sandbox');
  return { principal, org: caller.org, seen: services.seenBy(principal) };
}

/** 200 with the result once it is there, 502 with the reason when it did not come to that, 202 before. */
export async function sendOutcome(
  { stopping }: RouteDeps,
  {
    request,
    reply,
    sandbox,
    executions,
    more = {},
  }: {
    request: Pick<FastifyRequest, 'principal'> & { headers: { prefer?: string | undefined } };
    reply: FastifyReply;
    sandbox: Asked;
    executions?: Parameters<typeof answerWhenDone>[1]['executions'];
    /** What each of the answers holds, too. */
    more?: Pick<InvokeAnswer, 'grant'>;
  },
  before: InvocationView,
): Promise<FastifyReply> {
  const defaultSeconds = before.status === 'pending' ? 0 : DEFAULT_WAIT_SECONDS;
  const wait = { request, reply, stopping, defaultSeconds, executions };
  const latest = await answerWhenDone(sandbox.seen.invocations, wait, before);
  const { executions: answered, result: answer } = latest;
  const invocation = toActionInvocation(latest.invocation, { ...sandbox, executions: answered, result: answer });
  const { status, result } = invocation;
  if (status === 'pending') return reply.code(202).send({ invocation, message: 'Action requires approval' });
  if (!ENDED_STATUSES.has(status)) return reply.code(202).send({ invocation, message: 'Action is under way', ...more });
  if (status === 'completed') return reply.code(200).send({ invocation, result, ...more });
  const { error: why } = failureOf(latest.invocation, answered?.[0]);
  return reply.code(502).send({ invocation, error: `Action failed: ${why}`, ...more });
}
