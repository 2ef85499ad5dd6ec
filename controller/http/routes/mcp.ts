import { z } from 'zod';
import { refuseApprovers, refuseForeignSites } from '../../mcp/admission.js';
import { createServiceBackend } from '../../mcp/backend.js';
import { whenGone } from '../hang-up.js';
import { type App, FAILURE, found, principalOf, type RouteDeps } from './route.js';

/** The tools of AI agents, over the Model Context Protocol (streamable HTTP, without sessions). */
export function mcpRoutes(app: App, { services, stopping }: RouteDeps): void {
  app.route({
    method: 'POST',
    url: '/mcp',
    config: { rule: 'operator or sandbox' },
    schema: {
      summary: 'Ask as an AI agent does, over the Model Context Protocol',
      description:
        'A JSON-RPC message; off unless `controller.mcp` is true. The tools see and do what the token may, and none approves.',
      tags: ['sandboxes'],
      body: z.unknown(),
      response: { 200: z.unknown(), ...FAILURE },
    },
    handler: async (request, reply) => {
      const { hosts } = found(services.mcp, 'such address while controller.mcp is off');
      const principal = principalOf(request);
      refuseForeignSites(request.headers, hosts);
      refuseApprovers(principal.role);
      const backend = createServiceBackend(services, principal);
      const { answerMcp } = await import('../../mcp/http.js'); // only who uses it pays for its library
      return answerMcp(backend, {
        ...{ headers: request.headers, message: request.body, signal: whenGone(reply, stopping) },
        onFault: (err) => request.log.error({ err }, 'tool failed'),
        mask: services.mask,
      });
    },
  });
}
