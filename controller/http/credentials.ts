import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { MusterError } from '../../protocol/errors.js';
import type { SessionService } from '../sign-in/sessions.js';
import { refuseForeignPages } from './origins.js';
import { bearerOf, type Credential } from './rules.js';
import { asksForWebSocket } from './websocket.js';

type Asking = Pick<FastifyRequest, 'method' | 'headers' | 'raw'> &
  Readonly<{ routeOptions: Pick<FastifyRequest['routeOptions'], 'url'> }>;

type Sessions = Pick<SessionService, 'publicOrigin' | 'tokenIn'>;

/** Browsers add cookies to every request, whoever made it: they count where our page asks, and nowhere else. */
const COOKIE_COUNTS_BELOW = '/api/v1/';
const READING: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/**
 * What a request came with; undefined when there is nothing. An Authorization header counts alone, as no page of another
 * site can send one unnoticed.
 * @throws {MusterError} forbidden: the cookie came with a request that is not clearly our page's
 */
export function credentialOf(request: Asking, sessions: Sessions): Credential | undefined {
  const { authorization, cookie } = request.headers;
  if (authorization !== undefined) return { from: 'header', bearer: bearerOf(authorization) };
  if (request.routeOptions.url?.startsWith(COOKIE_COUNTS_BELOW) !== true) return undefined;
  const bearer = sessions.tokenIn(cookie);
  if (bearer === undefined) return undefined;
  refuseForgery(request, sessions);
  return { from: 'cookie', bearer };
}

/**
 * Refuses what a page of another site could make a browser send with our cookie. Reading is left to the browser, which
 * shows no answer to others; a WebSocket it shows to all.
 * @throws {MusterError} forbidden
 */
export function refuseForgery(
  { method, headers, raw }: Pick<Asking, 'method' | 'headers' | 'raw'>,
  { publicOrigin }: Pick<Sessions, 'publicOrigin'>,
): void {
  refuseForeignPages(headers, publicOrigin);
  if (READING.has(method) && !asksForWebSocket(raw)) return;
  if (headers.origin === undefined) {
    throw new MusterError(
      'forbidden',
      'With the cookie of a session this needs the header Origin, as browsers send it',
    );
  }
  if (hasBody(headers) && !/^application\/json *(;|$)/i.test(headers['content-type'] ?? '')) {
    throw new MusterError('forbidden', 'With the cookie of a session the body must be application/json');
  }
}

/** RFC 9112, section 6.3. */
function hasBody(headers: IncomingHttpHeaders): boolean {
  return headers['transfer-encoding'] !== undefined || !/^0*$/.test(headers['content-length'] ?? '');
}
