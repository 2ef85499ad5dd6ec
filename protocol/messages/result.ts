import { z } from 'zod';
import { TimeoutDuration } from '../durations.js';
import { ActionName, ExecutionId, Id, Sha256Hex, Time, Uuid } from '../ids.js';
import { OUTCOMES } from '../outcomes.js';
import { Encoding } from './output.js';
import { Parameters } from './parameters.js';
import { TriggeredBy } from './request.js';

/** At most this many bytes of a stream stand in the result itself, head and tail; the rest follows as output messages. */
export const MAX_INLINE_BYTES = 64 * 1024;

/** Characters of it at most, in UTF-8 or in base64. */
export const MAX_INLINE_TEXT = Math.ceil((MAX_INLINE_BYTES * 4) / 3) + 4096;

/** The text of inline output: UTF-8, or base64 of it. */
const InlineText = z.string().max(MAX_INLINE_TEXT);

export const ErrorCodeText = z.string().regex(/^[a-z][a-z0-9_]{0,62}$/);

export const Launched = z.enum(['yes', 'no', 'unknown']);

/** What an integrity check found instead of what it expected. It is evidence: signed, kept and receipted with its result. */
export const Violation = z.object({
  type: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,31}$/)
    .describe('hook'),
  path: z.string().max(4096).describe('The file on the node'),
  expected: z.string().max(64).describe('The checksum that the request names'),
  actual: Sha256Hex,
  detail: z.string().max(1024),
  timestamp: Time,
});
export type Violation = Readonly<z.infer<typeof Violation>>;

/** Payload of `muster-result` (P-92). */
export const Result = z
  .object({
    v: z.literal(1),
    execution_id: ExecutionId,
    node: Id,
    org: Id,
    boot_id: Uuid,
    process_id: Uuid,
    request_sha256: Sha256Hex.optional().describe('Absent only when origin is local'),
    status: z.enum(OUTCOMES),
    exit_code: z.int().min(-1).max(255).describe('-1 where there is none'),
    stdout: InlineText,
    stderr: InlineText,
    stdout_encoding: Encoding,
    stderr_encoding: Encoding,
    stdout_bytes: z.int().min(0).describe('Bytes of all that was captured'),
    stderr_bytes: z.int().min(0),
    stdout_sha256: Sha256Hex.describe('Of all that was captured'),
    stderr_sha256: Sha256Hex,
    stdout_truncated: z
      .boolean()
      .describe('True only when bytes were dropped past max_output_bytes, or an action left off reading'),
    stderr_truncated: z.boolean(),
    chunks: z.int().min(0).describe('How many output messages belong to it'),
    duration: z.string().max(64),
    duration_ms: z.number().min(0),
    finished_at: Time,
    error_code: ErrorCodeText.optional(),
    error: z.string().max(4096).optional().describe('A plain sentence, no stack'),
    launched: Launched.optional(),
    violation: Violation.optional().describe('With integrity_check_failed: what was found'),
    triggered_by: TriggeredBy.optional(),
    origin: z.literal('local').optional().describe('A person on the node asked, without a request'),
    action: ActionName.optional().describe('With local origin, and only then'),
    parameters: Parameters.optional().describe('With local origin, and only then'),
    timeout: TimeoutDuration.optional().describe('With local origin: what was asked for'),
    checksum: Sha256Hex.optional().describe('With local origin: SHA-256 of the hook that ran; absent for a built-in'),
  })
  .refine(
    ({ status, error_code }) => (status === 'error') === (error_code !== undefined),
    'error_code stands with error, and only there',
  )
  .refine(
    ({ origin, request_sha256 }) => (origin === 'local') !== (request_sha256 !== undefined),
    'request_sha256 is absent only for local origin',
  )
  .refine(
    ({ origin, action, parameters }) =>
      [action, parameters].every((each) => (each !== undefined) === (origin === 'local')),
    'action and parameters stand with local origin, and only there',
  );
export type Result = Readonly<z.infer<typeof Result>>;
