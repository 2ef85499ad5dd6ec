import { z } from 'zod';
import type { App, RouteDeps } from './route.js';

const TEXT = { content: { 'text/plain': { schema: z.string() } } };

/** Health and metrics of the process. They name no node and no person, so nobody needs a token for them. */
export function processRoutes(app: App, { services }: RouteDeps): void {
  app.route({
    method: 'GET',
    url: '/healthz',
    config: { rule: 'public' },
    schema: { summary: 'Whether the process lives', tags: ['process'], security: [], response: { 200: TEXT } },
    handler: async (_request, reply) => reply.type('text/plain; charset=utf-8').send('ok\n'),
  });

  app.route({
    method: 'GET',
    url: '/readyz',
    config: { rule: 'public' },
    schema: {
      summary: 'Whether the controller can work',
      tags: ['process'],
      security: [],
      response: { 200: TEXT, 503: { description: 'Not yet, and why', ...TEXT } },
    },
    handler: async (_request, reply) => {
      const reason = services.notReady();
      return reply
        .code(reason === undefined ? 200 : 503)
        .type('text/plain; charset=utf-8')
        .send(`${reason ?? services.ready}\n`);
    },
  });

  app.route({
    method: 'GET',
    url: '/metrics',
    config: { rule: 'public' },
    schema: { summary: 'Metrics for Prometheus', tags: ['process'], security: [], response: { 200: TEXT } },
    handler: async (_request, reply) => {
      const { body, contentType } = await services.metrics();
      return reply.type(contentType).send(body);
    },
  });
}
