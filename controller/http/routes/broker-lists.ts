import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { sha256Hex } from '../../../protocol/envelope.js';
import { API, type App, FAILURE, type RouteDeps } from './route.js';

const JWS = { content: { 'application/jose': { schema: z.string() } } };

/** The two signed lists by which a broker on another machine knows whom to admit; nobody needs a token for them. */
export function brokerListRoutes(app: App, { services: { brokerLists } }: RouteDeps): void {
  for (const [name, summary, read] of [
    ['keys', 'Get the signed list of controller keys', brokerLists.keys],
    ['revocations', 'Get the signed list of removed nodes', brokerLists.revocations],
  ] as const) {
    app.route({
      method: 'GET',
      url: `${API}/broker/${name}`,
      config: { rule: 'public' }, // each proves itself by its signature, and says what the broker's own file says
      schema: {
        summary,
        description: 'A JWS with an `ETag`; asked again with `If-None-Match`, the answer is 304 while it is the same.',
        tags: ['brokers'],
        security: [],
        response: { 200: JWS, 304: z.undefined().describe('Not changed'), ...FAILURE },
      },
      handler: async (request, reply) => answer(request, reply, read()),
    });
  }
}

function answer({ headers }: FastifyRequest, reply: FastifyReply, jws: string): FastifyReply {
  const etag = `"${sha256Hex(jws)}"`;
  reply.header('etag', etag);
  if (headers['if-none-match'] === etag) return reply.code(304).send();
  return reply.type('application/jose').send(jws);
}
