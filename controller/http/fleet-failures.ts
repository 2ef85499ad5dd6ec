import type { FastifyReply, FastifyRequest } from 'fastify';
import { ERROR_CODES, type ErrorCode, type MusterError } from '../../protocol/errors.js';
import { retryAfterSeconds, toTold } from './problems.js';
import { RequestFault } from './validation.js';

/** What a route says in its own words of what it was sent; undefined when it has none. */
export type OwnWords = (sent: Readonly<{ body: unknown; query: unknown }>, told: MusterError) => string | undefined;

type Handler = (
  this: unknown,
  error: unknown,
  request: Pick<FastifyRequest, 'body' | 'query' | 'log'>,
  reply: FastifyReply,
) => FastifyReply;

/** What these routes tell by a sentence alone, since devices in the field may compare it (F-21, F-25). */
const BARE: ReadonlyMap<ErrorCode, readonly [status: number, error: string]> = new Map([
  ['unauthenticated', [403, 'Unauthorized']],
  ['forbidden', [403, 'Unauthorized']],
  ['malformed_json', [400, 'Invalid JSON']],
]);

/** Failures as `{error}` (F-21…F-29), with a code and what to do where the route has no words of its own. */
export function fleetFailure(ownWords: OwnWords): Handler {
  return (error, request, reply) => {
    const told = toTold(error);
    const { status, body } = answerOf(told, request, ownWords);
    if (status >= 500) request.log.error({ err: error }, 'request failed');
    const retryAfter = retryAfterSeconds(told);
    if (retryAfter !== undefined) reply.header('retry-after', retryAfter);
    return reply
      .code(status)
      .type('application/json; charset=utf-8')
      .serializer((value: unknown) => JSON.stringify(value))
      .send(body);
  };
}

function answerOf(told: MusterError, sent: Pick<FastifyRequest, 'body' | 'query'>, ownWords: OwnWords) {
  const bare = BARE.get(told.code);
  if (bare !== undefined) return { status: bare[0], body: { error: bare[1] } };
  const words = ownWords(sent, told);
  if (words !== undefined && told instanceof RequestFault) return { status: 400, body: { error: words } };
  const { http = 500, meaning, next } = ERROR_CODES[told.code];
  // A store that cannot be written to is 500 here (F-29).
  const status = told.code === 'storage_failed' ? 500 : http;
  // A fault on our side is told by its code alone: its text may name files, addresses or SQL.
  const sentence = words ?? (status < 500 ? told.message : meaning);
  return { status, body: { error: sentence, code: told.code, next } };
}
