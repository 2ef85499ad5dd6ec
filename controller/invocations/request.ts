import { sha256Hex } from '../../protocol/envelope.js';
import type { Parameters } from '../../protocol/messages/parameters.js';
import type { Request, Target } from '../../protocol/messages/request.js';
import { toTime } from '../../runtime/clock.js';
import { sandboxOf } from '../sandboxes/rows.js';

/** The octets of a request, and the name by which acks and results answer it. */
export type FixedRequest = Readonly<{ payload: string; sha256: string }>;

/** What of an invocation stands in its requests. Times are milliseconds since 1970. */
export type RequestSource = Readonly<{
  invocationId: string;
  executionId: string;
  org: string;
  action: string;
  parameters: Parameters;
  timeout: string;
  stream: boolean;
  spread: string | null;
  reason: string | null;
  createdBy: string;
  expiresAtMs: number;
}>;

/** Fixes the octets of one request. `target` names a group or the fleet when one request is for all of them. */
export function fixRequest(
  source: RequestSource,
  to: Readonly<{ target: Target; checksum: string | null; nowMs: number }>,
): FixedRequest {
  const { target, checksum, nowMs } = to;
  const isBroadcast = !('node' in target);
  const request: Request = {
    v: 1,
    execution_id: source.executionId,
    org: source.org,
    target,
    ...(isBroadcast ? { roster_at: toTime(nowMs) } : {}),
    action: source.action,
    parameters: source.parameters,
    timeout: source.timeout,
    ...(checksum === null ? {} : { checksum }),
    stream: source.stream,
    ...(source.spread === null ? {} : { spread: source.spread }),
    issued_at: toTime(nowMs),
    expires_at: toTime(source.expiresAtMs),
    triggered_by: {
      type: sandboxOf(source.createdBy) === undefined ? 'operator' : 'sandbox',
      id: source.createdBy,
      invocation_id: source.invocationId,
      ...(source.reason === null ? {} : { reason: source.reason }),
    },
  };
  const payload = JSON.stringify(request);
  return { payload, sha256: sha256Hex(payload) };
}
