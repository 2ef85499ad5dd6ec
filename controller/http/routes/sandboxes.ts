import { z } from 'zod';
import { KeyHeaders, onceOf } from '../once.js';
import {
  ChangeSandbox,
  CreateSandbox,
  ReplaceSandboxToken,
  SandboxCreated,
  SandboxId,
  SandboxView,
} from '../sandbox-schemas.js';
import { PageQuery, pageOf } from '../schemas.js';
import { API, type App, FAILURE, found, principalOf, type RouteDeps, toPage } from './route.js';

const Params = z.strictObject({ id: SandboxId });

/** The restricted identities of programs: AI agents, CI jobs. */
export function sandboxRoutes(app: App, { services: { sandboxes } }: RouteDeps): void {
  app.route({
    method: 'POST',
    url: `${API}/sandboxes`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Make a sandbox for a program',
      description:
        'The answer holds its token, which is not shown again. With it the program may ask for what the connections name, 60 times a minute; what changes something waits for a person, 10 asks at most. It approves nothing.',
      tags: ['sandboxes'],
      headers: KeyHeaders,
      body: CreateSandbox,
      response: { 201: SandboxCreated, ...FAILURE },
    },
    handler: async (request, reply) =>
      reply.code(201).send(await sandboxes.create(principalOf(request), request.body, onceOf(request))),
  });

  app.route({
    method: 'GET',
    url: `${API}/sandboxes`,
    config: { rule: 'viewer' },
    schema: {
      summary: 'List the sandboxes',
      tags: ['sandboxes'],
      querystring: PageQuery,
      response: { 200: pageOf(SandboxView), ...FAILURE },
    },
    handler: async (request) => toPage(await sandboxes.list(principalOf(request).org, request.query)),
  });

  app.route({
    method: 'GET',
    url: `${API}/sandboxes/:id`,
    config: { rule: 'viewer' },
    schema: {
      summary: 'Read a sandbox',
      tags: ['sandboxes'],
      params: Params,
      response: { 200: SandboxView, ...FAILURE },
    },
    handler: async (request) => found(await sandboxes.get(principalOf(request).org, request.params.id), 'such sandbox'),
  });

  app.route({
    method: 'PATCH',
    url: `${API}/sandboxes/:id`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Pause or resume a sandbox',
      description: 'While it is paused it asks for nothing, and what it asked for before cannot be approved.',
      tags: ['sandboxes'],
      params: Params,
      body: ChangeSandbox,
      response: { 200: SandboxView, ...FAILURE },
    },
    handler: async (request) =>
      found(await sandboxes.change(principalOf(request), request.params.id, request.body), 'such sandbox'),
  });

  removalRoutes(app, sandboxes);
}

function removalRoutes(app: App, sandboxes: RouteDeps['services']['sandboxes']): void {
  app.route({
    method: 'POST',
    url: `${API}/sandboxes/:id/token`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Replace the token of a sandbox',
      description: 'The one before ends at once. The answer holds the new one, which is not shown again.',
      tags: ['sandboxes'],
      params: Params,
      body: ReplaceSandboxToken,
      response: { 201: SandboxCreated, ...FAILURE },
    },
    handler: async (request, reply) => {
      const replaced = await sandboxes.replaceToken(principalOf(request), request.params.id, request.body);
      return reply.code(201).send(found(replaced, 'such sandbox'));
    },
  });

  app.route({
    method: 'DELETE',
    url: `${API}/sandboxes/:id`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Delete a sandbox',
      description:
        'With its token and its connections. What it asked for stays; what waits cannot be approved any more.',
      tags: ['sandboxes'],
      params: Params,
      response: { 204: z.undefined().describe('Done'), ...FAILURE },
    },
    handler: async (request, reply) => {
      found((await sandboxes.delete(principalOf(request), request.params.id)) || undefined, 'such sandbox');
      return reply.code(204).send();
    },
  });
}
