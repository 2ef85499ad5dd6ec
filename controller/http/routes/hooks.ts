import { z } from 'zod';
import { ActionName, Id } from '../../../protocol/ids.js';
import { AcceptHook, HooksQuery, HookView, pageOf } from '../schemas.js';
import { API, type App, FAILURE, found, principalOf, type RouteDeps, toPage } from './route.js';

/** Hooks as nodes announce them, and the word of a person that a changed one is right. */
export function hookRoutes(app: App, { services: { hooks } }: RouteDeps): void {
  app.route({
    method: 'GET',
    url: `${API}/hooks`,
    config: { rule: 'viewer' },
    schema: {
      summary: 'List the hooks of the nodes with their checksums',
      tags: ['fleet'],
      querystring: HooksQuery,
      response: { 200: pageOf(HookView), ...FAILURE },
    },
    handler: async (request) => toPage(await hooks.list(principalOf(request).org, request.query)),
  });

  app.route({
    method: 'POST',
    url: `${API}/nodes/:node/hooks/:name/accept`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Accept a changed hook',
      description:
        'From now on an ask for this hook on this node pins the given checksum. It has to be the one that the node announced last, so that nobody accepts what they have not seen.',
      tags: ['fleet'],
      params: z.strictObject({ node: Id, name: ActionName }),
      body: AcceptHook,
      response: { 200: HookView, ...FAILURE },
    },
    handler: async (request) => {
      const { params, body } = request;
      return found(await hooks.accept(principalOf(request), { ...params, ...body }), 'such hook on that node');
    },
  });
}
