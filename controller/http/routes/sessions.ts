import { z } from 'zod';
import { refuseForgery } from '../credentials.js';
import { refuseForeignPages } from '../origins.js';
import { CreateSession, SessionLink, SessionView, SignInMethods } from '../session-schemas.js';
import { API, type App, FAILURE, principalOf, type RouteDeps } from './route.js';

const SESSION = `${API}/auth/session`;
const PUBLIC = { rule: 'public' } as const;
const OPEN = { tags: ['access'], security: [] };

/** Browsers that are signed in: a token of ours in a cookie. */
export function sessionRoutes(app: App, { services: { sessions } }: RouteDeps): void {
  app.route({
    method: 'GET',
    url: `${API}/auth/methods`,
    config: PUBLIC,
    schema: { summary: 'Read how people may sign in', ...OPEN, response: { 200: SignInMethods, ...FAILURE } },
    handler: async () => sessions.methods,
  });

  app.route({
    method: 'POST',
    url: SESSION,
    config: PUBLIC, // what is in the body is what admits
    schema: {
      summary: 'Sign a browser in',
      description:
        'The answer sets a cookie that no script reads, with a token for 12 h named `browser`. One that was made of an API token or of a sign-in link ends with that token.',
      ...OPEN,
      body: CreateSession,
      response: { 201: SessionView, ...FAILURE },
    },
    handler: async ({ headers, body }, reply) => {
      refuseForeignPages(headers, sessions.publicOrigin);
      const { cookie: cookies, origin, host } = headers;
      const begun = await sessions.begin(body, { cookies, origin, host });
      return reply.code(201).header('set-cookie', begun.cookies).send(begun.session);
    },
  });

  app.route({
    method: 'DELETE',
    url: SESSION,
    config: PUBLIC, // it ends what came with it
    schema: {
      summary: 'Sign this browser out',
      description: 'The token in the cookie ends with all that was made through it. Without a session nothing happens.',
      ...OPEN,
      response: { 204: z.undefined().describe('Done'), ...FAILURE },
    },
    handler: async (request, reply) => {
      const { cookie: cookies } = request.headers;
      if (sessions.tokenIn(cookies) === undefined) refuseForeignPages(request.headers, sessions.publicOrigin);
      else refuseForgery(request, sessions);
      reply.header('set-cookie', await sessions.end(cookies));
      return reply.code(204).send();
    },
  });

  app.route({
    method: 'POST',
    url: `${API}/auth/session-links`,
    config: { rule: 'viewer' },
    schema: {
      summary: 'Make a link that signs a browser in as you, once, within two minutes',
      description: 'The session ends with the token that comes with this call. The code is shown this once.',
      tags: ['access'],
      response: { 201: SessionLink, ...FAILURE },
    },
    handler: async (request, reply) => reply.code(201).send(await sessions.createLink(principalOf(request))),
  });
}
