import { z } from 'zod';
import { Id } from '../../../protocol/ids.js';
import { ExecutionGroupView, ExecutionsQuery } from '../list-schemas.js';
import { ExecutionView, InvocationId, OutputQuery, pageOf } from '../schemas.js';
import { API, type App, FAILURE, found, principalOf, type RouteDeps, toPage } from './route.js';

const ExecutionAddress = z.strictObject({ id: InvocationId, node: Id });

/** What became of an invocation on each node, and what it printed there. */
export function executionRoutes(app: App, { services: { seenBy } }: RouteDeps): void {
  app.route({
    method: 'GET',
    url: `${API}/invocations/:id/executions`,
    config: { rule: 'viewer or sandbox' },
    schema: {
      summary: 'List the executions of an invocation, by node',
      description:
        'A page may hold fewer items than `limit` and not be the last: nodes choose how much they print. With `group_by` the items are groups of like executions, the largest first: how many, the first nodes and a sample.',
      tags: ['invocations'],
      params: z.strictObject({ id: InvocationId }),
      querystring: ExecutionsQuery,
      response: { 200: z.union([pageOf(ExecutionView), pageOf(ExecutionGroupView)]), ...FAILURE },
    },
    handler: async (request) => {
      const { group_by, ...query } = request.query;
      const principal = principalOf(request);
      const { org } = principal;
      const { invocations } = seenBy(principal);
      const { id } = request.params;
      if (group_by === undefined) return toPage(found(await invocations.executions(org, id, query), 'such invocation'));
      const groups = await invocations.executionGroups(org, id, { ...query, group_by });
      return toPage(found(groups, 'such invocation'));
    },
  });

  app.route({
    method: 'GET',
    url: `${API}/invocations/:id/executions/:node`,
    config: { rule: 'viewer or sandbox' },
    schema: {
      summary: 'Read the execution on one node',
      tags: ['invocations'],
      params: ExecutionAddress,
      response: { 200: ExecutionView, ...FAILURE },
    },
    handler: async (request) => {
      const { id, node } = request.params;
      const principal = principalOf(request);
      return found(await seenBy(principal).invocations.execution(principal.org, id, node), 'such execution');
    },
  });

  app.route({
    method: 'GET',
    url: `${API}/invocations/:id/executions/:node/output`,
    config: { rule: 'viewer or sandbox' },
    schema: {
      summary: 'Read what an execution printed, byte for byte',
      description:
        '`Muster-Output-Complete` says whether every byte is here, `Muster-Output-Truncated` whether the node dropped some.',
      tags: ['invocations'],
      params: ExecutionAddress,
      querystring: OutputQuery,
      response: {
        200: { description: 'The bytes', content: { 'application/octet-stream': { schema: z.unknown() } } },
        ...FAILURE,
      },
    },
    handler: async (request, reply) => {
      const { id, node } = request.params;
      const { stream, offset } = request.query;
      const principal = principalOf(request);
      const output = await seenBy(principal).invocations.outputOf(principal.org, id, { node, stream });
      const { bytes, complete, truncated } = found(output, 'output of such an execution');
      return reply
        .header('muster-output-complete', String(complete))
        .header('muster-output-truncated', String(truncated))
        .header('content-disposition', 'attachment') // what a node printed is never shown as a page of ours
        .type('application/octet-stream')
        .send(bytes.subarray(offset));
    },
  });
}
