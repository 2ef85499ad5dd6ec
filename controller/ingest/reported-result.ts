import { z } from 'zod';
import { encodeBase64Url } from '../../protocol/base64url.js';
import { sha256Hex } from '../../protocol/envelope.js';
import { ExecutionId, Id, Sha256Hex, Time } from '../../protocol/ids.js';
import { TriggeredBy } from '../../protocol/messages/request.js';
import { ErrorCodeText, MAX_INLINE_BYTES, type Result } from '../../protocol/messages/result.js';
import { OUTCOMES } from '../../protocol/outcomes.js';

/** What only a node with a journal and a clock of its own can say. */
type OnlySigned = 'boot_id' | 'process_id' | 'duration' | 'duration_ms' | 'finished_at';

/** A result as it is stored: signed by its node, or reported over HTTP by one that has no key. */
export type StoredResult = Readonly<Omit<Result, OnlySigned> & { [K in OnlySigned]?: Result[K] | undefined }>;

/** A result that a token vouches for, with the fields that its view and its output need. All of the output is in it. */
export const ReportedResult = z.object({
  v: z.literal(1),
  execution_id: ExecutionId,
  node: Id,
  org: Id,
  request_sha256: Sha256Hex,
  status: z.enum(OUTCOMES),
  exit_code: z.int(),
  stdout: z.string(),
  stderr: z.string(),
  stdout_encoding: z.literal('utf-8'),
  stderr_encoding: z.literal('utf-8'),
  stdout_bytes: z.int(),
  stderr_bytes: z.int(),
  stdout_sha256: Sha256Hex,
  stderr_sha256: Sha256Hex,
  stdout_truncated: z.literal(false),
  stderr_truncated: z.literal(false),
  chunks: z.literal(0),
  duration: z.string().optional(),
  duration_ms: z.number().optional(),
  finished_at: Time.optional(),
  error_code: ErrorCodeText.optional(),
  error: z.string().optional(),
  triggered_by: TriggeredBy.optional(),
});
export type ReportedResult = Readonly<z.infer<typeof ReportedResult>>;

/** What a node says of an execution of its own; the same twice makes the same octets. */
export type Report = Readonly<
  Pick<ReportedResult, 'status' | 'exit_code' | 'stdout' | 'stderr'> &
    Partial<Pick<ReportedResult, 'duration' | 'duration_ms' | 'finished_at' | 'error_code' | 'error' | 'triggered_by'>>
>;

/** A report as it is stored, and the hash by which a repetition is known. */
export function toReportedResult(
  of: Readonly<{ executionId: string; node: string; org: string; requestSha256: string }>,
  report: Report,
): Readonly<{ result: ReportedResult; payloadSha256: string; jws: string }> {
  const { executionId, node, org, requestSha256 } = of;
  const { status, exit_code, stdout, stderr, ...rest } = report;
  const result: ReportedResult = {
    ...{ v: 1, execution_id: executionId, node, org, request_sha256: requestSha256, status, exit_code },
    ...{ stdout, stderr, stdout_encoding: 'utf-8', stderr_encoding: 'utf-8' },
    ...{ stdout_bytes: Buffer.byteLength(stdout), stderr_bytes: Buffer.byteLength(stderr) },
    ...{ stdout_sha256: sha256Hex(stdout), stderr_sha256: sha256Hex(stderr) },
    ...{ stdout_truncated: false, stderr_truncated: false, chunks: 0 },
    ...rest,
  };
  const payload = JSON.stringify(result);
  // Neither header nor signature: whoever checks signatures finds none to believe.
  return { result, payloadSha256: sha256Hex(payload), jws: `.${encodeBase64Url(payload)}.` };
}

/** As in a signed result. */
const CUT_MARK = '\n...[truncated]\n';
/** No code unit takes more than three bytes in UTF-8. */
const KEPT_UNITS = Math.floor((MAX_INLINE_BYTES - CUT_MARK.length) / 6);

/** Head and tail of reported text that is larger than what stands in a signed result; the whole is served as output. */
export function inlineText(text: string): string {
  if (Buffer.byteLength(text) <= MAX_INLINE_BYTES) return text;
  const head = text.slice(0, KEPT_UNITS).replace(/[\ud800-\udbff]$/, '');
  const tail = text.slice(-KEPT_UNITS).replace(/^[\udc00-\udfff]/, '');
  return `${head}${CUT_MARK}${tail}`;
}
