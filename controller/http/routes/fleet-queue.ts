import { z } from 'zod';
import { FLEET_ACTIONS } from '../../polling/fleet-actions.js';
import { fleetFailure, type OwnWords } from '../fleet-failures.js';
import {
  FetchedAction,
  FetchHeaders,
  FleetFailure,
  PendingQuery,
  QueueAction,
  ReportAction,
} from '../polling-schemas.js';
import { AskHeaders } from '../schemas.js';
import { type App, callerOf, principalOf, type RouteDeps } from './route.js';

const FAILURE = { default: FleetFailure.describe('What went wrong') };

/**
 * The queue for nodes that poll (F-19…F-50): people put actions in, a node fetches its own and says what came of them.
 * Bodies, statuses and texts are those of the rows.
 */
export function fleetQueueRoutes(app: App, deps: RouteDeps): void {
  queueRoute(app, deps);
  pendingRoute(app, deps);
  reportRoute(app, deps);
}

function queueRoute(app: App, { services: { polling } }: RouteDeps): void {
  app.route({
    method: 'POST',
    url: '/api/actions/queue',
    config: { rule: 'operator' },
    errorHandler: fleetFailure(wordsOfQueue),
    schema: {
      summary: 'Queue an action for one node',
      description:
        'For a node that polls or one on the broker. An admin counts as having confirmed it; what an operator asks for waits for a person.',
      tags: ['polling'],
      headers: AskHeaders,
      body: QueueAction,
      response: { 201: z.object({ ok: z.literal(true), action_id: z.string() }), ...FAILURE },
    },
    handler: async (request, reply) => {
      const action_id = await polling.queue(principalOf(request), request.body, {
        idempotencyKey: request.headers['idempotency-key'],
        bodySha256: request.bodySha256,
      });
      return reply.code(201).send({ ok: true, action_id });
    },
  });
}

function pendingRoute(app: App, { services: { polling } }: RouteDeps): void {
  app.route({
    method: 'GET',
    url: '/api/actions/pending',
    exposeHeadRoute: false, // its answer would have no body, and with it the actions would be gone
    config: { rule: 'node' },
    errorHandler: fleetFailure(({ query }) =>
      isGiven(query, 'machine_id') ? undefined : 'machine_id query param required',
    ),
    schema: {
      summary: 'Fetch what is due for a node, oldest first, at most 10',
      description:
        'Without an Idempotency-Key each action is given once. With one, the same key gives it again until it is acked or reported; a fetch with another key says that the answer before has arrived.',
      tags: ['polling'],
      headers: FetchHeaders,
      querystring: PendingQuery,
      response: { 200: z.object({ actions: z.array(FetchedAction) }), ...FAILURE },
    },
    handler: async (request) => {
      const caller = callerOf(request, request.query.machine_id);
      return { actions: [...(await polling.fetch(caller, request.headers['idempotency-key']))] };
    },
  });
}

function reportRoute(app: App, { services: { polling } }: RouteDeps): void {
  app.route({
    method: 'POST',
    url: '/api/actions/report',
    config: { rule: 'node' },
    errorHandler: fleetFailure(wordsOfReport),
    schema: {
      summary: 'Say what came of an action',
      description: 'The first report of an action stays; the same again is answered the same.',
      tags: ['polling'],
      body: ReportAction,
      response: { 200: z.object({ ok: z.literal(true) }), ...FAILURE },
    },
    handler: async (request) => {
      const { action_id, status, result } = request.body;
      const isDone = status === 'done';
      await polling.report(callerOf(request), action_id, {
        status: isDone ? 'success' : 'failed',
        exit_code: isDone ? 0 : -1,
        stdout: isDone ? result : '',
        stderr: isDone ? '' : result,
      });
      return { ok: true as const };
    },
  });
}

const wordsOfQueue: OwnWords = ({ body }, { code }) => {
  if (!isObject(body)) return 'Invalid JSON';
  if (!isGiven(body, 'machine_id') || !isGiven(body, 'action_type')) return 'Missing machine_id or action_type';
  const { action_type: type } = body;
  if (!FLEET_ACTIONS.some((each) => each === type)) {
    return `Invalid action_type. Must be one of: [${FLEET_ACTIONS.map((each) => `'${each}'`).join(', ')}]`;
  }
  if (code === 'unknown_action') return `Unknown action type: ${String(type)}`;
  if (type === 'message' && isObject(body.data) && body.data.message === '') return 'Please enter a message';
  return undefined;
};

const wordsOfReport: OwnWords = ({ body }) => {
  if (!isObject(body)) return 'Invalid JSON';
  if (!isGiven(body, 'action_id') || !isGiven(body, 'status')) return 'Missing action_id or status';
  return body.status === 'done' || body.status === 'error' ? undefined : "Invalid status. Must be 'done' or 'error'";
};

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** True when it is there and neither empty nor nothing. */
function isGiven(value: unknown, name: string): boolean {
  return isObject(value) && Boolean(value[name]);
}
