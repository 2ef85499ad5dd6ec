import type { FastifyReply, FastifyRequest } from 'fastify';
import { ERROR_CODES, type ErrorCode, isMusterError, MusterError } from '../../protocol/errors.js';
import { errnoOf } from '../../runtime/errno.js';
import { LimitReached } from '../policy/limits.js';
import type { Problem } from './schemas.js';
import { RequestFault } from './validation.js';

export const PROBLEM_TYPE = 'application/problem+json';

/** Seconds that a caller should wait before it tries again, by code. */
const RETRY_AFTER_SECONDS: ReadonlyMap<string, number> = new Map<ErrorCode, number>([
  ['rate_limited', 1],
  ['overloaded', 1],
  ['too_many_open', 5],
  ['too_many_pending', 60],
  ['storage_failed', 5],
  ['unavailable', 1],
  ['request_timeout', 1],
  ['sign_in_unavailable', 5],
  ['node_offline', 30],
]);

/** How long a caller should wait before it tries again; undefined when trying again changes nothing. */
export function retryAfterSeconds(error: MusterError): number | undefined {
  return error instanceof LimitReached ? error.retryAfterSeconds : RETRY_AFTER_SECONDS.get(error.code);
}

/** What the framework itself refuses, by its code: ours, and the sentence. */
const FRAMEWORK_REFUSALS: ReadonlyMap<string, readonly [ErrorCode, string]> = new Map([
  ['FST_ERR_CTP_BODY_TOO_LARGE', ['body_too_large', 'The body is larger than 256 KiB']],
  ['FST_ERR_CTP_INVALID_MEDIA_TYPE', ['unsupported_media_type', 'The body must be application/json']],
  ['FST_ERR_CTP_INVALID_CONTENT_LENGTH', ['invalid_request', 'The body is not as long as Content-Length says']],
  ['FST_ERR_BAD_URL', ['invalid_request', 'The address holds a % without two hexadecimal digits']],
  ['FST_ERR_INVALID_URL', ['invalid_request', 'The address cannot be read']],
  ['FST_ERR_MAX_PARAM_LENGTH', ['not_found', 'There is nothing under this address']],
]);

/** RFC 9457 problem details of a failure. `status` is the one of its code. */
export function toProblem(error: MusterError, requestId: string): Problem {
  const { http: status = 500, meaning, next } = ERROR_CODES[error.code];
  return {
    type: `urn:muster:error:${error.code}`,
    title: meaning,
    status,
    // A fault on our side is told by its code alone: its text may name files, addresses or SQL.
    detail: status < 500 ? error.message : meaning,
    code: error.code,
    next,
    request_id: requestId,
    ...(error instanceof RequestFault ? { errors: [...error.faults] } : {}),
  };
}

/** Answers with the problem of a failure; what is not meant for HTTP, or was not foreseen, is logged and told as `internal`. */
export function sendFailure(
  error: unknown,
  request: Pick<FastifyRequest, 'id' | 'log'>,
  reply: FastifyReply,
): FastifyReply {
  const told = toTold(error);
  const problem = toProblem(told, request.id);
  if (problem.status >= 500) request.log.error({ err: error }, 'request failed');
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer realm="muster"');
  const retryAfter = retryAfterSeconds(told);
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter);
  return reply
    .code(problem.status)
    .type(PROBLEM_TYPE)
    .serializer((body: unknown) => JSON.stringify(body))
    .send(problem);
}

/** What a failure is told as: its own code when that is meant for HTTP, else `internal`, which is logged. */
export function toTold(error: unknown): MusterError {
  const known = isMusterError(error) ? error : refusalOf(error);
  return known === undefined || ERROR_CODES[known.code].http === undefined ? new MusterError('internal', '') : known;
}

/** What the framework refused, in our words; undefined for a fault of ours. */
function refusalOf(error: unknown): MusterError | undefined {
  const [code, detail] = FRAMEWORK_REFUSALS.get(errnoOf(error) ?? '') ?? [];
  if (code !== undefined && detail !== undefined) return new MusterError(code, detail, { cause: error });
  if (!(error instanceof Error) || !('statusCode' in error) || typeof error.statusCode !== 'number') return undefined;
  if (error.statusCode < 400 || error.statusCode > 499) return undefined;
  return new MusterError('invalid_request', 'The request cannot be read', { cause: error });
}
