import { parsePayload, peekPayload } from '../../protocol/envelope.js';
import { MusterError } from '../../protocol/errors.js';
import { Ack, PASSING_REASONS } from '../../protocol/messages/ack.js';
import type { IncomingMessage } from '../../runtime/mqtt-session.js';
import { type ConcludeDeps, conclude } from '../dispatch/conclude.js';
import type { Dispatcher } from '../dispatch/dispatcher.js';
import type { OpenExecution } from '../dispatch/open-executions.js';
import { RESULT_GRACE_MS } from '../dispatch/sweeper.js';
import { type Judge, openNodeMessage } from './open-message.js';
import { type ReopenDeps, reopen } from './reopen.js';

export type AckDeps = ConcludeDeps & ReopenDeps & Judge & Readonly<{ dispatcher: Dispatcher }>;

/**
 * Takes one ack. That of an open execution which says `accepted` only stops the offers, so its signature is not looked
 * at; whatever changes more than that is verified.
 * @throws {MusterError} a refusal of openNodeMessage, wrong_request, unknown_execution
 */
export async function takeAck(deps: AckDeps, message: IncomingMessage): Promise<void> {
  const { node = '' } = message.levels;
  const { payload } = peekPayload(message.payload, { typ: 'muster-ack', maxBytes: deps.maxPacketBytes });
  const hint = parsePayload(Ack, payload);
  const execution = deps.open.get(hint.execution_id, node);
  if (hint.status === 'accepted' && execution !== undefined) {
    if (hint.node !== node || hint.org !== deps.org)
      throw new MusterError('wrong_audience', 'topic, node and org do not agree');
    return takeAccepted(deps, execution, hint.request_sha256);
  }

  const { value: ack } = openNodeMessage(deps, message, { typ: 'muster-ack', schema: Ack });
  if (execution === undefined) return takeLate(deps, ack);
  if (ack.request_sha256 !== execution.requestSha256) {
    throw new MusterError('wrong_request', 'the ack answers other request octets');
  }
  await takeRejected(deps, execution, ack);
}

/** The node has it: offers stop, a result is awaited. @throws {MusterError} wrong_request */
export function takeAccepted(
  { open, marks, dispatcher, metrics, clock }: AckDeps,
  execution: OpenExecution,
  requestSha256: string,
): void {
  if (requestSha256 !== execution.requestSha256) {
    throw new MusterError('wrong_request', 'the ack answers other request octets');
  }
  if (execution.state === 'accepted') return;
  const monotonicMs = clock.monotonicMs();
  if (execution.firstOfferedMs !== undefined) metrics.ackLatency((monotonicMs - execution.firstOfferedMs) / 1000);
  execution.acceptedAtMs = clock.nowMs();
  execution.lostAtMs = monotonicMs + execution.timeoutMs + RESULT_GRACE_MS;
  execution.unansweredSinceMs = undefined;
  execution.unreachable = false;
  open.move(execution, 'accepted');
  marks.accepted(execution);
  dispatcher.accepted(execution);
}

async function takeRejected(deps: AckDeps, execution: OpenExecution, { reason }: Ack): Promise<void> {
  if (reason === '' || execution.state === 'accepted') return;
  // The node has had it before: that ack was lost on the way.
  if (reason === 'duplicate_execution_id') return takeAccepted(deps, execution, execution.requestSha256 ?? '');
  if (PASSING_REASONS.has(reason)) return deps.dispatcher.refused(execution, reason);
  const isAsWanted = reason === 'cancelled' && execution.cancelling;
  await conclude(deps, [execution], isAsWanted ? { status: 'cancelled' } : { status: 'rejected', reason });
  deps.dispatcher.ended(execution.node);
}

/** An acceptance wins over an end that the controller had concluded from a rejection or from the clock. */
async function takeLate(deps: AckDeps, ack: Ack): Promise<void> {
  if (ack.status !== 'accepted') return;
  const reopened = await reopen(deps, {
    executionId: ack.execution_id,
    node: ack.node,
    requestSha256: ack.request_sha256,
  });
  if (reopened === 'unknown') throw new MusterError('unknown_execution', 'the ack is for what was never asked');
  if (reopened === 'wrong_request') throw new MusterError('wrong_request', 'the ack answers other request octets');
  if (reopened !== 'ended') takeAccepted(deps, reopened, ack.request_sha256);
}
