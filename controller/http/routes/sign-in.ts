import { z } from 'zod';
import { MusterError } from '../../../protocol/errors.js';
import type { SignInService } from '../../sign-in/contract.js';
import { ApiTokenCreated } from '../people-schemas.js';
import { BeginSignIn, DevicePoll, DeviceSignIn, PollDevice, SignInCallback } from '../sign-in-schemas.js';
import { API, type App, FAILURE, type RouteDeps } from './route.js';

const OIDC = `${API}/auth/oidc`;
/** On public routes of sign-in: what the provider says is what admits. */
const PUBLIC = { rule: 'public' } as const;
const OPEN = { tags: ['access'], security: [] };
const ELSEWHERE = { 303: z.undefined().describe('Go on at Location') };

/** Sign-in by OpenID Connect: in a browser, and for programs that have none. */
export function signInRoutes(app: App, { services: { signIn } }: RouteDeps): void {
  app.route({
    method: 'GET',
    url: `${OIDC}/login`,
    config: PUBLIC,
    schema: {
      summary: 'Sign in at the OpenID Connect provider, in a browser',
      ...OPEN,
      querystring: BeginSignIn,
      response: { ...ELSEWHERE, ...FAILURE },
    },
    handler: async (request, reply) => {
      const { location, cookies } = await offered(signIn).begin(request.query.return_to);
      return reply.header('set-cookie', cookies).redirect(location, 303);
    },
  });

  app.route({
    method: 'GET',
    url: `${OIDC}/callback`,
    config: PUBLIC,
    schema: {
      summary: 'Come back from the OpenID Connect provider',
      description: 'The browser gets a cookie that POST /api/v1/auth/oidc/session takes for a token, once.',
      ...OPEN,
      querystring: SignInCallback,
      response: { 200: z.string(), ...ELSEWHERE, ...FAILURE },
    },
    handler: async (request, reply) => {
      const query = request.url.split('?').slice(1).join('?');
      const done = await offered(signIn).finish({ query, cookies: request.headers.cookie });
      reply.header('set-cookie', done.cookies);
      if ('location' in done) return reply.redirect(done.location, 303);
      const text = `You are signed in as ${done.user} (${done.role}).\n`;
      return reply.type('text/plain; charset=utf-8').serializer(String).send(text);
    },
  });

  app.route({
    method: 'POST',
    url: `${OIDC}/session`,
    config: PUBLIC,
    schema: {
      summary: 'Get a token for 12 h for the sign-in that this browser has just finished',
      description: 'Once, within two minutes.',
      ...OPEN,
      response: { 201: ApiTokenCreated, ...FAILURE },
    },
    handler: async ({ headers: { cookie, origin } }, reply) => {
      const { token, cookies } = await offered(signIn).collect({ cookies: cookie, origin });
      return reply.code(201).header('set-cookie', cookies).send(token);
    },
  });

  app.route({
    method: 'POST',
    url: `${OIDC}/device`,
    config: PUBLIC,
    schema: {
      summary: 'Begin a sign-in that a person confirms elsewhere (RFC 8628)',
      ...OPEN,
      response: { 201: DeviceSignIn, ...FAILURE },
    },
    handler: async (_request, reply) => reply.code(201).send(await offered(signIn).startDevice()),
  });

  app.route({
    method: 'POST',
    url: `${OIDC}/device/poll`,
    config: PUBLIC,
    schema: {
      summary: 'Get a token for 12 h, once such a sign-in was confirmed',
      description: 'Who polls sooner than `interval` seconds after the last answer has to wait longer.',
      ...OPEN,
      body: PollDevice,
      response: { 200: DevicePoll, ...FAILURE },
    },
    handler: async (request) => offered(signIn).pollDevice(request.body.device_code),
  });
}

/** @throws {MusterError} sign_in_not_set_up */
function offered(signIn: SignInService | undefined): SignInService {
  if (signIn === undefined)
    throw new MusterError('sign_in_not_set_up', 'Sign-in by OpenID Connect is not set up at this controller');
  return signIn;
}
