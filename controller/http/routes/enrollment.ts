import { z } from 'zod';
import { KeyHeaders, onceOf } from '../once.js';
import {
  CreateEnrollmentToken,
  EnrollmentTokenCreated,
  EnrollmentTokenView,
  PageQuery,
  pageOf,
  TokenId,
} from '../schemas.js';
import { Nonce, RenewedCredential, SignedBody } from '../signed-schemas.js';
import { API, type App, FAILURE, found, principalOf, type RouteDeps, toPage } from './route.js';

/** Enrollment tokens for people, and the three calls by which a node joins and keeps its broker password. */
export function enrollmentRoutes(app: App, { services: { enrollment } }: RouteDeps): void {
  app.route({
    method: 'POST',
    url: `${API}/enrollment-tokens`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Make an enrollment token',
      description: 'The answer is the only time that the token itself is shown.',
      tags: ['enrollment'],
      headers: KeyHeaders,
      body: CreateEnrollmentToken,
      response: { 201: EnrollmentTokenCreated, ...FAILURE },
    },
    handler: async (request, reply) =>
      reply.code(201).send(await enrollment.createToken(principalOf(request), request.body, onceOf(request))),
  });

  app.route({
    method: 'GET',
    url: `${API}/enrollment-tokens`,
    config: { rule: 'admin' },
    schema: {
      summary: 'List the enrollment tokens, newest first',
      tags: ['enrollment'],
      querystring: PageQuery,
      response: { 200: pageOf(EnrollmentTokenView), ...FAILURE },
    },
    handler: async (request) => toPage(await enrollment.listTokens(principalOf(request).org, request.query)),
  });

  app.route({
    method: 'DELETE',
    url: `${API}/enrollment-tokens/:id`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Delete an enrollment token',
      tags: ['enrollment'],
      params: z.strictObject({ id: TokenId }),
      response: { 204: z.undefined().describe('Deleted'), ...FAILURE },
    },
    handler: async (request, reply) => {
      const isDeleted = await enrollment.deleteToken(principalOf(request), request.params.id);
      found(isDeleted || undefined, 'such enrollment token');
      return reply.code(204).send();
    },
  });

  app.route({
    method: 'POST',
    url: `${API}/enroll`,
    config: { rule: 'public' }, // the token inside the signed body is what admits a node
    schema: {
      summary: 'Enroll a node',
      tags: ['enrollment'],
      security: [],
      body: SignedBody,
      response: { 201: SignedBody, ...FAILURE },
    },
    handler: async (request, reply) => {
      const { status, jws } = await enrollment.enroll(request.body.jws);
      return reply.code(status).send({ jws });
    },
  });

  app.route({
    method: 'GET',
    url: `${API}/nonce`,
    config: { rule: 'public' },
    schema: {
      summary: 'Get a nonce for renew',
      tags: ['enrollment'],
      security: [],
      response: { 200: Nonce, ...FAILURE },
    },
    handler: async () => enrollment.nonce(),
  });

  app.route({
    method: 'POST',
    url: `${API}/renew`,
    config: { rule: 'public' }, // the node's own signature over the nonce is what admits it
    schema: {
      summary: 'Get a new broker password for a node',
      tags: ['enrollment'],
      security: [],
      body: SignedBody,
      response: { 200: RenewedCredential, ...FAILURE },
    },
    handler: async (request) => enrollment.renew(request.body.jws),
  });
}
