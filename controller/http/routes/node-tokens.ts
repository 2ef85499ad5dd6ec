import { z } from 'zod';
import { KeyHeaders, onceOf } from '../once.js';
import { CreateNodeToken, NodeTokenCreated, NodeTokenView } from '../polling-schemas.js';
import { PageQuery, pageOf, TokenId } from '../schemas.js';
import { API, type App, FAILURE, found, principalOf, type RouteDeps, toPage } from './route.js';

/** Tokens for nodes that have no key and poll. */
export function nodeTokenRoutes(app: App, { services: { polling } }: RouteDeps): void {
  app.route({
    method: 'POST',
    url: `${API}/node-tokens`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Make a token for a node that polls',
      description:
        'The first token of a name makes the node. The answer is the only time that the token is shown. What such a node reports rests on whoever holds the token: a node that can keep a key should enroll instead.',
      tags: ['polling'],
      headers: KeyHeaders,
      body: CreateNodeToken,
      response: { 201: NodeTokenCreated, ...FAILURE },
    },
    handler: async (request, reply) =>
      reply.code(201).send(await polling.createToken(principalOf(request), request.body, onceOf(request))),
  });

  app.route({
    method: 'GET',
    url: `${API}/node-tokens`,
    config: { rule: 'admin' },
    schema: {
      summary: 'List the tokens of nodes that poll, newest first',
      tags: ['polling'],
      querystring: PageQuery,
      response: { 200: pageOf(NodeTokenView), ...FAILURE },
    },
    handler: async (request) => toPage(await polling.listTokens(principalOf(request).org, request.query)),
  });

  app.route({
    method: 'DELETE',
    url: `${API}/node-tokens/:id`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Delete a token of a node that polls; it ends at once',
      tags: ['polling'],
      params: z.strictObject({ id: TokenId }),
      response: { 204: z.undefined().describe('Deleted'), ...FAILURE },
    },
    handler: async (request, reply) => {
      found((await polling.deleteToken(principalOf(request), request.params.id)) || undefined, 'such token of a node');
      return reply.code(204).send();
    },
  });
}
