import { z } from 'zod';
import { CreateGrant, GrantId, GrantView } from '../grant-schemas.js';
import { KeyHeaders, onceOf } from '../once.js';
import { PageQuery, pageOf } from '../schemas.js';
import { API, type App, FAILURE, found, principalOf, type RouteDeps, toPage } from './route.js';

const Params = z.strictObject({ id: GrantId });
const WHAT = 'such grant';

/** Approvals that are given beforehand, for asks that are still to come. */
export function grantRoutes(app: App, { services: { grants } }: RouteDeps): void {
  app.route({
    method: 'POST',
    url: `${API}/grants`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Approve asks that are still to come',
      description:
        'An ask that would wait for a person, is a `write` and is covered by a grant is approved at once. Nothing of risk `danger` is, nothing on protected targets, and nothing that whoever made the grant could not approve at that moment.',
      tags: ['approvals'],
      headers: KeyHeaders,
      body: CreateGrant,
      response: { 201: GrantView, ...FAILURE },
    },
    handler: async (request, reply) => {
      const grant = await grants.create(principalOf(request), request.body, onceOf(request));
      reply.header('location', `${API}/grants/${grant.id}`);
      return reply.code(201).send(grant);
    },
  });

  app.route({
    method: 'GET',
    url: `${API}/grants`,
    config: { rule: 'viewer' },
    schema: {
      summary: 'List the grants, newest first',
      description: 'Those that have ended, too, as long as invocations are kept.',
      tags: ['approvals'],
      querystring: PageQuery,
      response: { 200: pageOf(GrantView), ...FAILURE },
    },
    handler: async (request) => toPage(await grants.list(principalOf(request).org, request.query)),
  });

  app.route({
    method: 'GET',
    url: `${API}/grants/:id`,
    config: { rule: 'viewer' },
    schema: {
      summary: 'Read a grant',
      tags: ['approvals'],
      params: Params,
      response: { 200: GrantView, ...FAILURE },
    },
    handler: async (request) => found(await grants.get(principalOf(request).org, request.params.id), WHAT),
  });

  app.route({
    method: 'DELETE',
    url: `${API}/grants/:id`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Revoke a grant',
      description: 'It approves nothing more; what it has approved goes on. Again is the same.',
      tags: ['approvals'],
      params: Params,
      response: { 200: GrantView, ...FAILURE },
    },
    handler: async (request) => found(await grants.revoke(principalOf(request), request.params.id), WHAT),
  });
}
