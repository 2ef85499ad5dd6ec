import { z } from 'zod';
import { KeyHeaders, onceOf } from '../once.js';
import { ApiTokenCreated, ApiTokenView, CreateApiToken, Login } from '../people-schemas.js';
import { PageQuery, pageOf, TokenId } from '../schemas.js';
import { API, type App, FAILURE, found, principalOf, type RouteDeps, toPage } from './route.js';

const NOTHING = z.undefined().describe('Done');

/** API tokens, and the two calls by which a person gets one for a day's work and gives it back. */
export function tokenRoutes(app: App, { services: { org, tokens } }: RouteDeps): void {
  app.route({
    method: 'POST',
    url: `${API}/tokens`,
    config: { rule: 'viewer' },
    schema: {
      summary: 'Make an API token',
      description:
        'For yourself or, as an admin, for others. It ends with the token that comes with the call. The answer is the only time that the token is shown.',
      tags: ['access'],
      headers: KeyHeaders,
      body: CreateApiToken,
      response: { 201: ApiTokenCreated, ...FAILURE },
    },
    handler: async (request, reply) =>
      reply.code(201).send(await tokens.create(principalOf(request), request.body, onceOf(request))),
  });

  app.route({
    method: 'GET',
    url: `${API}/tokens`,
    config: { rule: 'viewer' },
    schema: {
      summary: 'List your API tokens, newest first; as an admin everybody’s',
      tags: ['access'],
      querystring: PageQuery,
      response: { 200: pageOf(ApiTokenView), ...FAILURE },
    },
    handler: async (request) => toPage(await tokens.list(principalOf(request), request.query)),
  });

  app.route({
    method: 'DELETE',
    url: `${API}/tokens/:id`,
    config: { rule: 'viewer' },
    schema: {
      summary: 'Delete an API token with those made through it; they end at once',
      tags: ['access'],
      params: z.strictObject({ id: TokenId }),
      response: { 204: NOTHING, ...FAILURE },
    },
    handler: async (request, reply) => {
      found((await tokens.delete(principalOf(request), request.params.id)) || undefined, 'such token of yours');
      return reply.code(204).send();
    },
  });

  app.route({
    method: 'POST',
    url: `${API}/login`,
    config: { rule: 'public' }, // the password in the body is what admits
    schema: {
      summary: 'Get a token for 12 h',
      tags: ['access'],
      security: [],
      body: Login,
      response: { 201: ApiTokenCreated, ...FAILURE },
    },
    handler: async (request, reply) => reply.code(201).send(await tokens.login(org, request.body)),
  });

  app.route({
    method: 'POST',
    url: `${API}/logout`,
    config: { rule: 'viewer' },
    schema: {
      summary: 'End the token that comes with the call',
      tags: ['access'],
      response: { 204: NOTHING, ...FAILURE },
    },
    handler: async (request, reply) => {
      await tokens.logout(principalOf(request), request.credential?.bearer ?? '');
      return reply.code(204).send();
    },
  });
}
