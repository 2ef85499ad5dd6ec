import type { Request } from '../../protocol/messages/request.js';
import type { Standing } from './admission.js';
import type { ReceivedRequest } from './received.js';
import { type ExecutionEnd, errorEnd } from './run-action.js';

/** A request's clock may run ahead of ours by this much. */
const EARLY_MS = 120_000;

/** On which side of its window a request is by the corrected clock; undefined within it. */
export function sideOfWindow({ issued_at, expires_at }: Request, nowMs: number): 'early' | 'late' | undefined {
  if (nowMs < Date.parse(issued_at) - EARLY_MS) return 'early';
  return nowMs >= Date.parse(expires_at) ? 'late' : undefined;
}

/** Whether this journal cannot tell if the request ran, since it was issued before the journal began. */
export function isBeforeEpoch({ request, isLocal }: ReceivedRequest, epochMs: number | undefined): boolean {
  return isLocal !== true && epochMs !== undefined && Date.parse(request.issued_at) < epochMs;
}

/** The end of what was accepted under a journal that turned out to be an older copy: the newer one may have run it. */
export const BEFORE_EPOCH: ExecutionEnd = {
  ...errorEnd('interrupted', 'The journal of the node began anew before it could start; whether it ran is unknown.'),
  launched: 'unknown',
};

/**
 * How an accepted request ends that must not start now; undefined when it may. Asked right before the launch, since
 * hours and welcomes may lie between the acceptance and that moment.
 */
export function endInsteadOfStart(
  received: ReceivedRequest,
  { standing, epochMs }: { standing: Standing | undefined; epochMs: number | undefined },
): ExecutionEnd | undefined {
  if (received.isLocal === true) return undefined;
  if (isBeforeEpoch(received, epochMs)) return BEFORE_EPOCH;
  const side = standing === undefined ? 'early' : sideOfWindow(received.request, standing.nowMs);
  if (side === undefined) return undefined;
  const why =
    side === 'late'
      ? 'Its time was over before it could start.'
      : 'By the clock of the controller, which was set back, its time had not come.';
  return { ...errorEnd('expired', why), launched: 'no' };
}
