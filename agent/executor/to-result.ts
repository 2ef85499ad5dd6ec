import { formatDuration } from '../../protocol/durations.js';
import { MAX_CHUNK_BYTES, type Output } from '../../protocol/messages/output.js';
import type { Request, TriggeredBy } from '../../protocol/messages/request.js';
import { MAX_INLINE_BYTES, type Result } from '../../protocol/messages/result.js';
import { toTime } from '../../runtime/clock.js';
import type { Mask } from '../../runtime/masking/mask.js';
import type { OutputCapture, OutputPiece } from '../actions/output-capture.js';
import type { ReceivedRequest } from './received.js';
import type { ExecutionEnd } from './run-action.js';

/** Who speaks: what stands in everything that an agent says of an execution. */
export type Speaker = Readonly<{ org: string; node: string; bootId: string; processId: string }>;

/**
 * What an execution answers: the ids, and what came with the request. `local` tells the controller of a request that it
 * has never seen, since a person on the node made it.
 */
export type Subject = Readonly<{ executionId: string; triggeredBy?: TriggeredBy }> &
  Readonly<{ requestSha256: string } | { local: LocalOrigin }>;

/** What a result says of a request that only the node has. */
type LocalOrigin = Readonly<Pick<Result, 'origin' | 'action' | 'parameters' | 'timeout' | 'checksum'>>;

/** A packet keeps this much for what is not output: headers, `triggered_by`, the error. */
const PACKET_RESERVE_BYTES = 16 * 1024;

/** The ids of a request, for its result; what a person typed in a local one is masked. */
export function subjectOf({ request, sha256, isLocal }: ReceivedRequest, mask: Mask): Subject {
  const { execution_id: executionId, triggered_by: triggeredBy } = request;
  return {
    executionId,
    ...(triggeredBy === undefined ? {} : { triggeredBy: isLocal ? maskReason(triggeredBy, mask) : triggeredBy }),
    ...(isLocal ? { local: originOf(request, mask) } : { requestSha256: sha256 }),
  };
}

function originOf({ action, parameters: asked, timeout, checksum = '' }: Request, mask: Mask): LocalOrigin {
  const parameters = Object.fromEntries(
    Object.entries(asked).map(([name, value]) => [name, typeof value === 'string' ? mask.typed(value) : value]),
  );
  return { origin: 'local', action, parameters, timeout, ...(checksum === '' ? {} : { checksum }) };
}

function maskReason(by: TriggeredBy, mask: Mask): TriggeredBy {
  return by.reason === undefined ? by : { ...by, reason: mask.typed(by.reason).slice(0, MAX_REASON) };
}

/** Characters of a reason at most. */
const MAX_REASON = 1024;

/** An output message keeps this much for what is not output: topic, headers, ids and signature at their longest. */
const PIECE_RESERVE_BYTES = 2 * 1024;

/** How many bytes of output one message may carry, so that base64 in JSON in a JWS fits the packet. */
export function pieceLimit(maxPacketBytes: number): number {
  return Math.min(MAX_CHUNK_BYTES, Math.floor(((maxPacketBytes - PIECE_RESERVE_BYTES) * 9) / 16));
}

/** How many bytes of a stream may stand in the result, so that base64 in JSON in a JWS fits the packet, twice. */
export function inlineLimit(maxPacketBytes: number, subject?: Subject): number {
  const local = subject !== undefined && 'local' in subject ? jwsBytes(subject.local) : 0;
  const roomBytes = Math.max(0, maxPacketBytes - PACKET_RESERVE_BYTES - local);
  return Math.min(MAX_INLINE_BYTES, Math.floor((roomBytes * 9) / 32));
}

function jwsBytes(value: unknown): number {
  return Math.ceil((Buffer.byteLength(JSON.stringify(value)) * 4) / 3);
}

/** The result's payload (P-36, P-92). `chunks` is how many output messages belong to it. */
export function toResult(
  subject: Subject,
  end: ExecutionEnd,
  {
    speaker,
    capture,
    inlineBytes,
    chunks,
    finishedAtMs,
  }: { speaker: Speaker; capture: OutputCapture; inlineBytes: number; chunks: number; finishedAtMs: number },
): Result {
  const stdout = capture.inline('stdout', inlineBytes);
  const stderr = capture.inline('stderr', inlineBytes);
  const out = capture.summary('stdout');
  const err = capture.summary('stderr');
  return {
    v: 1,
    execution_id: subject.executionId,
    node: speaker.node,
    org: speaker.org,
    boot_id: speaker.bootId,
    process_id: speaker.processId,
    ...('local' in subject ? {} : { request_sha256: subject.requestSha256 }),
    status: end.status,
    exit_code: end.exitCode,
    stdout: stdout.data,
    stderr: stderr.data,
    stdout_encoding: stdout.encoding,
    stderr_encoding: stderr.encoding,
    stdout_bytes: out.bytes,
    stderr_bytes: err.bytes,
    stdout_sha256: out.sha256,
    stderr_sha256: err.sha256,
    stdout_truncated: out.truncated,
    stderr_truncated: err.truncated,
    chunks,
    duration: formatDuration(end.durationMs),
    duration_ms: Math.round(end.durationMs * 1000) / 1000,
    finished_at: toTime(finishedAtMs),
    ...(end.errorCode === undefined ? {} : { error_code: end.errorCode }),
    ...(end.error === undefined ? {} : { error: end.error.slice(0, 4096) }),
    ...(end.launched === undefined ? {} : { launched: end.launched }),
    ...(end.violation === undefined ? {} : { violation: { ...end.violation, timestamp: toTime(finishedAtMs) } }),
    ...(subject.triggeredBy === undefined ? {} : { triggered_by: subject.triggeredBy }),
    ...('local' in subject ? subject.local : {}),
  };
}

/** An output message's payload. */
export function toOutput(
  piece: OutputPiece,
  { executionId, seq, speaker }: { executionId: string; seq: number; speaker: Speaker },
): Output {
  const { stream, offset, data, encoding, last } = piece;
  return {
    v: 1,
    execution_id: executionId,
    node: speaker.node,
    org: speaker.org,
    seq,
    stream,
    offset,
    data,
    encoding,
    last,
  };
}
