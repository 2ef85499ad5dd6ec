import { z } from 'zod';
import { ContainerReference } from '../../../protocol/containers.js';
import { DEFAULT_WAIT_SECONDS } from '../prefer.js';
import { AskHeaders, type ExecutionView, type InvocationView } from '../schemas.js';
import { ENDED_STATUSES } from '../statuses.js';
import { answerWhenDone } from './invocations.js';
import { API, type App, FAILURE, principalOf, type RouteDeps } from './route.js';

/** D-7. */
const ContainerAction = z.strictObject({
  action: z.enum(['START', 'STOP', 'RESTART']),
  reason: z.string().max(1024).optional(),
});

/** What the node answered (D-16); `PENDING` while it has not. */
const ActionResult = z.object({
  type: z.literal('action_result'),
  action_id: z.string(),
  status: z.enum(['SUCCESS', 'FAILURE', 'PENDING']),
  error: z.string(),
  error_code: z
    .string()
    .optional()
    .describe('With FAILURE: a code of docs/reference/errors.md, or how it ended: `failed`, `timeout`, `cancelled`, …'),
});

/** Start, stop and restart of a container, wherever it runs (D-6…D-12). */
export function containerActionRoutes(app: App, deps: RouteDeps): void {
  const { containers, invocations } = deps.services;
  app.route({
    method: 'POST',
    url: '/api/containers/:container_id/actions',
    config: { rule: 'operator' },
    schema: {
      summary: 'Start, stop or restart a container',
      description:
        'By id, by the first 12 or more characters of it, or by name. 200 with what the node answered; 202 when that takes longer than 15 s, or than `Prefer: wait=N`, or when a person has to approve it first. 503 at once when its node is not connected, or leaves before it has answered: what it had begun goes on, and the address in `Location` tells how it ended.',
      tags: ['invocations'],
      headers: AskHeaders,
      params: z.strictObject({ container_id: ContainerReference }),
      body: ContainerAction,
      response: { 200: ActionResult, 202: ActionResult, ...FAILURE },
    },
    handler: async (request, reply) => {
      const principal = principalOf(request);
      const { action: verb, reason } = request.body;
      const ask = { container: request.params.container_id, verb, reason };
      const invocation = await containers.ask(principal, ask, {
        idempotencyKey: request.headers['idempotency-key'],
        bodySha256: request.bodySha256,
      });
      reply.header('location', `${API}/invocations/${invocation.id}`);
      const defaultSeconds = invocation.status === 'pending' ? 0 : DEFAULT_WAIT_SECONDS;
      const wait = { request, reply, stopping: deps.stopping, defaultSeconds };
      const service = {
        ...invocations,
        whenDone: (org: string, _: string, until: Parameters<typeof invocations.whenDone>[2]) =>
          containers.whenDone(org, invocation, until),
      };
      const { invocation: latest, executions = [] } = await answerWhenDone(service, wait, invocation);
      const head = { type: 'action_result', action_id: latest.id } as const;
      if (!ENDED_STATUSES.has(latest.status)) return reply.code(202).send({ ...head, status: 'PENDING', error: '' });
      if (latest.status === 'completed') return reply.code(200).send({ ...head, status: 'SUCCESS', error: '' });
      return reply.code(200).send({ ...head, status: 'FAILURE', ...failureOf(latest, executions[0]) });
    },
  });
}

type Told = Pick<ExecutionView, 'status' | 'reason' | 'error' | 'error_code' | 'stderr'>;

/** The node's own words where it has some (D-24), and what they come to for a program. */
export function failureOf(
  { status, error: summary }: Pick<InvocationView, 'status' | 'error'>,
  execution: Told | undefined,
): { error: string; error_code: string } {
  const words = [execution?.error, execution?.stderr?.trim(), execution?.reason, summary, execution?.status];
  const isSaid = (text: string | null | undefined): text is string =>
    text !== undefined && text !== null && text !== '';
  const codes = [execution?.error_code, execution?.reason, execution?.status];
  return { error: words.find(isSaid) ?? 'It did not succeed', error_code: codes.find(isSaid) ?? status };
}
