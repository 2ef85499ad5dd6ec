import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { MusterError } from '../../protocol/errors.js';
import { errnoOf } from '../../runtime/errno.js';
import { PROBLEM_TYPE, toProblem } from './problems.js';

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

/** Answers bytes that are not HTTP, or that come too slowly, and closes the connection. */
export function refuseUnreadable(error: Error, socket: Duplex): void {
  if (errnoOf(error) === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const problem = toProblem(new MusterError('invalid_request', 'The request is not HTTP/1.1'), randomUUID());
  const body = JSON.stringify(problem);
  socket.end(
    [
      'HTTP/1.1 400 Bad Request',
      `Content-Type: ${PROBLEM_TYPE}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      'X-Content-Type-Options: nosniff',
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}

/** Answers 503 for a controller that cannot, at the moment, and may soon. */
export function sendUnavailable(response: ServerResponse): void {
  const problem = toProblem(new MusterError('unavailable', 'No controller leads at the moment'), randomUUID());
  response.writeHead(problem.status, {
    ...SECURITY_HEADERS,
    'content-type': PROBLEM_TYPE,
    'retry-after': '1',
    'x-request-id': problem.request_id,
  });
  response.end(JSON.stringify(problem));
}
