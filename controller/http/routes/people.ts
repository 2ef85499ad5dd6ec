import { z } from 'zod';
import { KeyHeaders, onceOf } from '../once.js';
import { ChangePassword, ChangeUser, CreateUser, UserId, UserView } from '../people-schemas.js';
import { PageQuery, pageOf } from '../schemas.js';
import { API, type App, FAILURE, found, principalOf, type RouteDeps, toPage } from './route.js';

const NOTHING = z.undefined().describe('Done');

/** The people of an org and their roles. */
export function peopleRoutes(app: App, { services: { people } }: RouteDeps): void {
  app.route({
    method: 'POST',
    url: `${API}/users`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Add a user',
      description: 'An admin adds viewers and operators, an owner anybody.',
      tags: ['access'],
      headers: KeyHeaders,
      body: CreateUser,
      response: { 201: UserView, ...FAILURE },
    },
    handler: async (request, reply) =>
      reply.code(201).send(await people.createUser(principalOf(request), request.body, onceOf(request))),
  });

  app.route({
    method: 'GET',
    url: `${API}/users`,
    config: { rule: 'admin' },
    schema: {
      summary: 'List the users by name',
      tags: ['access'],
      querystring: PageQuery,
      response: { 200: pageOf(UserView), ...FAILURE },
    },
    handler: async (request) => toPage(await people.listUsers(principalOf(request).org, request.query)),
  });

  app.route({
    method: 'PATCH',
    url: `${API}/users/:user`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Change a user: role, password, disabled',
      description:
        'In force at once, also for tokens that exist. A new password ends the logins. The last owner stays one.',
      tags: ['access'],
      params: z.strictObject({ user: UserId }),
      body: ChangeUser,
      response: { 200: UserView, ...FAILURE },
    },
    handler: async (request) =>
      found(await people.changeUser(principalOf(request), request.params.user, request.body), 'such user'),
  });

  app.route({
    method: 'DELETE',
    url: `${API}/users/:user`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Delete a user with all tokens',
      tags: ['access'],
      params: z.strictObject({ user: UserId }),
      response: { 204: NOTHING, ...FAILURE },
    },
    handler: async (request, reply) => {
      found((await people.deleteUser(principalOf(request), request.params.user)) || undefined, 'such user');
      return reply.code(204).send();
    },
  });

  app.route({
    method: 'PUT',
    url: `${API}/me/password`,
    config: { rule: 'viewer' },
    schema: {
      summary: 'Change your own password',
      description: 'Ends your logins, also the one that comes with the call.',
      tags: ['access'],
      body: ChangePassword,
      response: { 204: NOTHING, ...FAILURE },
    },
    handler: async (request, reply) => {
      await people.changePassword(principalOf(request), request.body);
      return reply.code(204).send();
    },
  });
}
