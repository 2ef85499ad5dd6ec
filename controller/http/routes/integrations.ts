import { z } from 'zod';
import { Id } from '../../../protocol/ids.js';
import { ChangeIntegration, CreateIntegration, IntegrationTest, IntegrationView } from '../integration-schemas.js';
import { PageQuery, pageOf } from '../schemas.js';
import { API, type App, FAILURE, found, principalOf, type RouteDeps, toPage } from './route.js';

const NOTHING = z.undefined().describe('Done');
const Params = z.strictObject({ name: Id.describe('Name of an integration') });
const Answer = z.object({ integration: IntegrationView });

/** Other systems that the controller acts in. Their actions are asked for like any other: `POST /api/v1/invocations`. */
export function integrationRoutes(app: App, { services: { integrations } }: RouteDeps): void {
  app.route({
    method: 'POST',
    url: `${API}/integrations`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Add an integration',
      description: 'The credential is sealed and never given back. 409 when the name is taken.',
      tags: ['integrations'],
      body: CreateIntegration,
      response: { 201: Answer, ...FAILURE },
    },
    handler: async (request, reply) => {
      const integration = await integrations.add(principalOf(request), request.body);
      reply.header('location', `${API}/integrations/${integration.name}`);
      return reply.code(201).send({ integration });
    },
  });

  app.route({
    method: 'GET',
    url: `${API}/integrations`,
    config: { rule: 'viewer' },
    schema: {
      summary: 'List the integrations and their actions, by name',
      tags: ['integrations'],
      querystring: PageQuery,
      response: { 200: pageOf(IntegrationView), ...FAILURE },
    },
    handler: async (request) => toPage(await integrations.list(principalOf(request).org, request.query)),
  });

  app.route({
    method: 'GET',
    url: `${API}/integrations/:name`,
    config: { rule: 'viewer' },
    schema: {
      summary: 'Read an integration',
      tags: ['integrations'],
      params: Params,
      response: { 200: Answer, ...FAILURE },
    },
    handler: async (request) => {
      const integration = await integrations.get(principalOf(request).org, request.params.name);
      return { integration: found(integration, 'such integration') };
    },
  });

  changeRoutes(app, { integrations });
}

function changeRoutes(app: App, { integrations }: Pick<RouteDeps['services'], 'integrations'>): void {
  app.route({
    method: 'PATCH',
    url: `${API}/integrations/:name`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Switch an integration on or off',
      tags: ['integrations'],
      params: Params,
      body: ChangeIntegration,
      response: { 200: Answer, ...FAILURE },
    },
    handler: async (request) => {
      const integration = await integrations.change(principalOf(request), request.params.name, request.body);
      return { integration: found(integration, 'such integration') };
    },
  });

  app.route({
    method: 'DELETE',
    url: `${API}/integrations/:name`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Remove an integration with its credential',
      description: 'What was asked of it stays on record. What waits for it fails when somebody approves it.',
      tags: ['integrations'],
      params: Params,
      response: { 204: NOTHING, ...FAILURE },
    },
    handler: async (request, reply) => {
      const isDone = await integrations.remove(principalOf(request), request.params.name);
      found(isDone || undefined, 'such integration');
      return reply.code(204).send();
    },
  });

  app.route({
    method: 'POST',
    url: `${API}/integrations/:name/test`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Test an integration',
      description: 'Gets a token and asks the system for something that changes nothing. 200 also when that fails.',
      tags: ['integrations'],
      params: Params,
      response: { 200: IntegrationTest, ...FAILURE },
    },
    handler: async (request) => {
      const outcome = await integrations.test(principalOf(request), request.params.name);
      return found(outcome, 'such integration');
    },
  });
}
