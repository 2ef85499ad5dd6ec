import { z } from 'zod';
import { ActionName, ID_PATTERN, Id } from '../../../protocol/ids.js';
import { pageOfAll } from '../../paging.js';
import { NodesQuery, NodesSummary } from '../list-schemas.js';
import { ActionView, ChangeNode, GroupView, NodeDetail, NodeView, PageQuery, pageOf } from '../schemas.js';
import { API, type App, FAILURE, found, principalOf, type RouteDeps, toPage } from './route.js';

/** A node may offer a built-in action and a hook of one name. */
const ACTION_KEY = /^[\w.-]{1,63} (builtin|hook)$/;

/** About what an action comes to in an answer: most of it are the names of its nodes, those of a hook by checksum, too. */
function octetsOf({ description, parameters, nodes, checksums }: ActionView): number {
  const names = nodes.reduce((octets, node) => octets + node.length + 3, 0);
  return description.length + JSON.stringify(parameters).length + names * (checksums === undefined ? 1 : 2);
}

/** The inventory: nodes, their groups and what they offer. */
export function nodeRoutes(app: App, { services: { nodes, seenBy } }: RouteDeps): void {
  app.route({
    method: 'GET',
    url: `${API}/nodes`,
    config: { rule: 'viewer or sandbox' },
    schema: {
      summary: 'List the nodes',
      tags: ['fleet'],
      querystring: NodesQuery,
      response: { 200: pageOf(NodeView), ...FAILURE },
    },
    handler: async (request) => {
      const principal = principalOf(request);
      return toPage(await seenBy(principal).nodes.list(principal.org, request.query));
    },
  });

  app.route({
    method: 'GET',
    url: `${API}/node-summary`,
    config: { rule: 'viewer or sandbox' },
    schema: {
      summary: 'Count the nodes by their state',
      tags: ['fleet'],
      response: { 200: NodesSummary, ...FAILURE },
    },
    handler: async (request) => {
      const principal = principalOf(request);
      return seenBy(principal).nodes.summary(principal.org);
    },
  });

  app.route({
    method: 'GET',
    url: `${API}/nodes/:node`,
    config: { rule: 'viewer or sandbox' },
    schema: {
      summary: 'Read a node',
      tags: ['fleet'],
      params: z.strictObject({ node: Id }),
      response: { 200: NodeDetail, ...FAILURE },
    },
    handler: async (request) => {
      const principal = principalOf(request);
      return found(await seenBy(principal).nodes.get(principal.org, request.params.node), 'such node');
    },
  });

  app.route({
    method: 'PATCH',
    url: `${API}/nodes/:node`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Change the labels or the groups of a node',
      description: 'What is given replaces what was there. The node hears of it at once, or when it comes.',
      tags: ['fleet'],
      params: z.strictObject({ node: Id }),
      body: ChangeNode,
      response: { 200: NodeDetail, ...FAILURE },
    },
    handler: async (request) =>
      found(await nodes.change(principalOf(request), request.params.node, request.body), 'such node'),
  });

  app.route({
    method: 'DELETE',
    url: `${API}/nodes/:node`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Remove a node',
      description:
        'Its key is believed by nobody from then on, our broker ends its connection within seconds, and what was open on it ends. What it did before stays. The name is free for a node with another key.',
      tags: ['fleet'],
      params: z.strictObject({ node: Id }),
      response: { 204: z.undefined().describe('Done'), ...FAILURE },
    },
    handler: async (request, reply) => {
      found((await nodes.remove(principalOf(request), request.params.node)) || undefined, 'such node');
      return reply.code(204).send();
    },
  });

  app.route({
    method: 'GET',
    url: `${API}/groups`,
    config: { rule: 'viewer or sandbox' },
    schema: {
      summary: 'List the groups',
      tags: ['fleet'],
      querystring: PageQuery,
      response: { 200: pageOf(GroupView), ...FAILURE },
    },
    handler: async (request) => {
      const principal = principalOf(request);
      const groups = await seenBy(principal).nodes.groups(principal.org);
      return toPage(pageOfAll(groups, { ...request.query, shape: ID_PATTERN, keyOf: ({ group }) => group }));
    },
  });

  app.route({
    method: 'GET',
    url: `${API}/actions`,
    config: { rule: 'viewer or sandbox' },
    schema: {
      summary: 'List the actions and where they are offered',
      description:
        'A page may hold fewer items than `limit` and not be the last: an action names every node of its own.',
      tags: ['fleet'],
      querystring: PageQuery.extend({ node: Id.optional(), name: ActionName.optional() }),
      response: { 200: pageOf(ActionView), ...FAILURE },
    },
    handler: async (request) => {
      const { node, name, ...page } = request.query;
      const principal = principalOf(request);
      const offered = await seenBy(principal).nodes.actions(principal.org, node);
      const actions = name === undefined ? offered : offered.filter((action) => action.name === name);
      return toPage(
        pageOfAll(actions, { ...page, shape: ACTION_KEY, keyOf: ({ name, kind }) => `${name} ${kind}`, octetsOf }),
      );
    },
  });
}
