import { randomUUID } from 'node:crypto';
import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ErrorCode, MusterError } from '../../protocol/errors.js';
import { errnoOf } from '../../runtime/errno.js';
import { PROBLEM_TYPE, retryAfterSeconds, toProblem } from './problems.js';
import type { Problem } from './schemas.js';

/** On every answer: nothing of ours is framed, sniffed, cached or run as a page. */
export const SECURITY_HEADERS = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;

/** For `/docs`, the one page here: its own scripts and styles, and requests to this address only. */
export const DOCS_CONTENT_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
  "frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** For the dashboard: its own scripts, styles and requests alone, and no text becomes a part of the page. */
export const PAGE_CONTENT_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
  "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/** A client has this long to close a connection that we have ended. */
const CLOSE_MS = 1_000;

/** What the parser of HTTP found, by its code: what we say of it. */
const UNREADABLE: ReadonlyMap<string, readonly [ErrorCode, string]> = new Map([
  ['ERR_HTTP_REQUEST_TIMEOUT', ['request_timeout', 'The request did not arrive in time']],
  ['HPE_HEADER_OVERFLOW', ['headers_too_large', 'The address and the headers are larger than 16 KiB']],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', ['headers_too_large', 'The chunk extensions are larger than 16 KiB']],
]);

/**
 * Answers bytes that are not HTTP, or that come too slowly, and closes the connection. While an answer is under way on
 * it (`isAnswering`) there is nothing that its client would not take for a part of that.
 */
export function refuseUnreadable(error: Error, socket: Duplex, isAnswering: boolean): void {
  const reason = errnoOf(error) ?? '';
  if (reason === 'ECONNRESET' || isAnswering || !socket.writable) {
    socket.destroy();
    return;
  }
  const [code, detail] = UNREADABLE.get(reason) ?? ['invalid_request', 'The request is not HTTP/1.1'];
  endWithProblem(socket, new MusterError(code, detail, { cause: error }));
}

/** Writes a whole answer to a connection on which there is no other, and closes it. */
export function endWithProblem(socket: Duplex, error: MusterError): void {
  const problem = toProblem(error, randomUUID());
  const body = JSON.stringify(problem);
  const headers = { ...headersOf(error, problem), 'content-length': Buffer.byteLength(body), connection: 'close' };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.write([`HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`, ...lines, '', body].join('\r\n'));
  endSoon(socket);
}

/** Ends a connection, and closes it also when the other side does not. */
export function endSoon(socket: Duplex): void {
  const timer = setTimeout(() => socket.destroy(), CLOSE_MS);
  socket.once('close', () => clearTimeout(timer));
  socket.once('error', () => socket.destroy());
  socket.end();
}

/** Answers a request that never gets as far as the routes. */
export function sendProblem(response: ServerResponse, error: MusterError): void {
  const problem = toProblem(error, randomUUID());
  response.writeHead(problem.status, headersOf(error, problem));
  response.end(JSON.stringify(problem));
}

function headersOf(error: MusterError, { request_id }: Problem): Readonly<Record<string, string | number>> {
  const seconds = retryAfterSeconds(error);
  const retryAfter = seconds === undefined ? {} : { 'retry-after': seconds };
  return { ...SECURITY_HEADERS, ...retryAfter, 'content-type': PROBLEM_TYPE, 'x-request-id': request_id };
}

/** Answers 503 for a controller that cannot, at the moment, and may soon. */
export function sendUnavailable(response: ServerResponse): void {
  sendProblem(response, noLeader());
}

/** The same on a connection that asked for another protocol. */
export function endUnavailable(socket: Duplex): void {
  endWithProblem(socket, noLeader());
}

function noLeader(): MusterError {
  return new MusterError('unavailable', 'No controller leads at the moment');
}
