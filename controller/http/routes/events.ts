import type { FastifyReply, FastifyRequest } from 'fastify';
import { isMusterError, MusterError } from '../../../protocol/errors.js';
import { type EventFilter, filterOf, pumpEvents, type Sink } from '../event-pump.js';
import { EventsHeaders, EventsQuery, StreamMessage } from '../event-schemas.js';
import type { OpenStream } from '../event-streams.js';
import { isOwnOrigin } from '../origins.js';
import { admit } from '../rules.js';
import { createSseSink } from '../sse.js';
import { createWebSocketSink } from '../websocket.js';
import { API, type App, FAILURE, principalOf, type RouteDeps } from './route.js';

const RULE = 'viewer';

/** What happens, as it happens. */
export function eventRoutes(app: App, deps: RouteDeps): void {
  const { services, streams } = deps;
  app.route({
    method: 'GET',
    url: `${API}/events`,
    exposeHeadRoute: false, // an answer that never ends has no head to ask for
    config: { rule: RULE },
    schema: {
      summary: 'Follow what happens',
      description:
        'Server-sent events; on upgrade the same messages over WebSocket, one each. Every event was stored before it is sent. The first message is `ready`; with `Last-Event-ID` (or `after`) what followed that event comes first, and `reset` when it is no longer held. At least one message comes every 15 s. A client that takes nothing for 30 s is dropped, and so is one whose token or role ends, after a message `end`.',
      tags: ['events'],
      headers: EventsHeaders,
      querystring: EventsQuery,
      response: {
        200: {
          description: 'Messages, each in the `data` of an event whose `event` is its type and whose `id` is its id',
          content: { 'text/event-stream': { schema: StreamMessage } },
        },
        ...FAILURE,
      },
    },
    handler: async (request, reply) => {
      const principal = principalOf(request);
      const filter = filterOf(principal, request.query);
      const upgrade = deps.webSockets.of(request.raw);
      if (upgrade !== undefined && !isOwnOrigin(request.headers, services.sessions.publicOrigin)) {
        throw new MusterError('forbidden', 'A page of another origin may not open this');
      }
      const { credential } = request;
      const stream = streams.open(principal, () => admit(services, { rule: RULE, credential }));
      const after = request.headers['last-event-id'] ?? request.query.after;
      reply.hijack();
      follow(deps, { request, reply, stream, filter, after }).catch((err: unknown) => {
        request.log.error({ err }, 'event stream failed');
      });
    },
  });
}

/** Serves one stream to its end. */
async function follow(
  { services, streams, webSockets, clock }: RouteDeps,
  {
    request,
    reply,
    stream,
    filter,
    after,
  }: {
    request: FastifyRequest;
    reply: FastifyReply;
    stream: OpenStream;
    filter: EventFilter;
    after: number | undefined;
  },
): Promise<void> {
  try {
    const upgrade = webSockets.of(request.raw);
    const connection = upgrade === undefined ? undefined : await webSockets.accept(request.raw, upgrade);
    const sink =
      connection === undefined ? toSse(reply, stream) : createWebSocketSink(connection, (code) => stream.end(code));
    await pumpEvents({ feed: services.events, sink, stream, filter, after, limits: streams.limits, clock });
  } catch (error) {
    if (!isMusterError(error, 'not_connected')) throw error;
  } finally {
    stream.release();
  }
}

function toSse(reply: FastifyReply, stream: OpenStream): Sink {
  if (reply.raw.destroyed) stream.end('gone');
  reply.raw.once('close', () => stream.end('gone'));
  const headers = Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)] as const);
  return createSseSink(reply.raw, Object.fromEntries(headers));
}
