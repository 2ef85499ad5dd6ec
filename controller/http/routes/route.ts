import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { MusterError } from '../../../protocol/errors.js';
import type { Clock } from '../../../runtime/clock.js';
import type { NodeCaller } from '../../polling/contract.js';
import type { Page, Principal, Services } from '../../services.js';
import type { Dashboard } from '../dashboard.js';
import type { EventStreams } from '../event-streams.js';
import type { Credential, Rule } from '../rules.js';
import { Problem } from '../schemas.js';
import type { WebSockets } from '../websocket.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call the route. */
    rule?: Rule;
    /** The answer goes out as it is: nothing that callers or other systems have said is in it. */
    isVerbatim?: boolean;
  }
  interface FastifyRequest {
    /** Who asks; undefined on public routes. */
    principal: Principal | undefined;
    /** What says who asks; undefined on public routes and on those of nodes. */
    credential: Credential | undefined;
    /** Which node asks, on routes that are for nodes that poll. */
    caller: NodeCaller | undefined;
    /** SHA-256 of the body's octets, lower-case hex; empty without a body. */
    bodySha256: string;
  }
}

/** The fastify instance with zod as the language of its schemas. */
export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse<IncomingMessage>,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** What routes work with. `stopping` fires when the controller stops, so that nobody is kept waiting. */
export type RouteDeps = Readonly<{
  services: Services;
  stopping: AbortSignal;
  streams: EventStreams;
  webSockets: WebSockets;
  dashboard: Dashboard;
  clock: Clock;
}>;

/** Adds the routes of one resource; each names its rule. */
export type AddRoutes = (app: App, deps: RouteDeps) => void;

/** Under this path live the resources of the REST API. */
export const API = '/api/v1';

/** The answer of every route that is not a success. */
export const FAILURE = {
  default: { description: 'What went wrong (RFC 9457)', content: { 'application/problem+json': { schema: Problem } } },
};

/**
 * Who asks on a route that is not public.
 * @throws {MusterError} unauthenticated
 */
export function principalOf({ principal }: Pick<FastifyRequest, 'principal'>): Principal {
  if (principal === undefined) throw new MusterError('unauthenticated', 'No token came with the request');
  return principal;
}

/**
 * Which node asks on a route of its own; an id of another one in the address or the body is not its to speak for.
 * @throws {MusterError} unauthenticated, forbidden
 */
export function callerOf({ caller }: Pick<FastifyRequest, 'caller'>, node?: string): NodeCaller {
  if (caller === undefined) throw new MusterError('unauthenticated', 'No token of a node came with the request');
  if (node !== undefined && node !== caller.node) {
    throw new MusterError('forbidden', 'The token is that of another node');
  }
  return caller;
}

/**
 * The value, when there is one.
 * @throws {MusterError} not_found
 */
export function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new MusterError('not_found', `There is no ${what}`);
  return value;
}

/** A page as the answer schemas want it. */
export function toPage<T>({ items, next_cursor }: Page<T>): { items: T[]; next_cursor: string | null } {
  return { items: [...items], next_cursor };
}
