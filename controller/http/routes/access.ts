import { Me } from '../people-schemas.js';
import { BrokerCredential, CreateBrokerCredential } from '../schemas.js';
import { API, type App, FAILURE, principalOf, type RouteDeps } from './route.js';

/** Who asks, and broker passwords for those who are not nodes. */
export function accessRoutes(app: App, { services: { brokerCredentials } }: RouteDeps): void {
  app.route({
    method: 'GET',
    url: `${API}/me`,
    config: { rule: 'viewer or sandbox' },
    schema: { summary: 'Read who the token speaks for', tags: ['access'], response: { 200: Me, ...FAILURE } },
    handler: async (request) => principalOf(request),
  });

  app.route({
    method: 'POST',
    url: `${API}/broker-credentials`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Get a broker password for a controller or a monitor',
      tags: ['access'],
      body: CreateBrokerCredential,
      response: { 201: BrokerCredential, ...FAILURE },
    },
    handler: async (request, reply) =>
      reply.code(201).send(await brokerCredentials.issue(principalOf(request), request.body)),
  });
}
