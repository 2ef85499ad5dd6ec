import { z } from 'zod';
import { MusterError } from '../../protocol/errors.js';
import { ExecutionId } from '../../protocol/ids.js';
import { CancelData } from '../../protocol/messages/control.js';
import { MAX_HELLO_LIST } from '../../protocol/messages/hello.js';
import { Reply } from '../../protocol/messages/reply.js';
import type { IncomingMessage } from '../../runtime/mqtt-session.js';
import type { Cancellations } from '../dispatch/cancellations.js';
import { type ConcludeDeps, conclude } from '../dispatch/conclude.js';
import type { SentControl } from '../dispatch/controls.js';
import type { Dispatcher } from '../dispatch/dispatcher.js';
import type { OpenExecution } from '../dispatch/open-executions.js';
import { moveExecutions } from '../store/executions.js';
import type { MissingOutput } from './missing-output.js';
import { type Judge, openNodeMessage } from './open-message.js';

export type ReplyDeps = Judge &
  ConcludeDeps &
  Readonly<{
    dispatcher: Dispatcher;
    cancellations: Cancellations;
    missingOutput: MissingOutput;
    welcomes: ReadonlyMap<string, SentControl>;
  }>;

/** What a node may say to a welcome: wanted executions that its journal lacks. */
const WelcomeData = z.object({ unknown_executions: z.array(ExecutionId).max(MAX_HELLO_LIST).default([]) });

/**
 * Takes a reply to a welcome, a cancel or a resend.
 * @throws {MusterError} a refusal of openNodeMessage, stale, payload_invalid
 */
export async function takeReply(deps: ReplyDeps, message: IncomingMessage): Promise<void> {
  const { value: reply } = openNodeMessage(deps, message, { typ: 'muster-reply', schema: Reply });
  const { node, control_id: controlId, control_sha256: sha256 } = reply;
  const cancelled = deps.cancellations.answeredBy(node, { controlId, sha256 });
  if (cancelled !== undefined) return takeCancelled(deps, cancelled, reply);
  if (deps.missingOutput.answered(reply)) return;
  const welcome = deps.welcomes.get(node);
  if (welcome?.controlId !== controlId || welcome.sha256 !== sha256) {
    throw new MusterError('stale', 'the reply answers no control that is awaited');
  }
  return takeUnknown(deps, reply);
}

/** A node that never saw the request has made a note of its id: it will not start it. Any other sends its result. */
async function takeCancelled(deps: ReplyDeps, execution: OpenExecution, { ok, data }: Reply): Promise<void> {
  const parsed = CancelData.safeParse(data ?? {});
  if (!parsed.success) throw new MusterError('payload_invalid', 'the reply does not fit a cancel');
  if (!ok || parsed.data.state !== 'never_seen') return;
  await conclude(deps, [execution], { status: 'cancelled' });
  deps.dispatcher.ended(execution.node);
}

/** What the node does not know was never accepted, whatever an ack said: it is offered again, the same octets. */
async function takeUnknown(deps: ReplyDeps, { node, data }: Reply): Promise<void> {
  const parsed = WelcomeData.safeParse(data ?? {});
  if (!parsed.success) throw new MusterError('payload_invalid', 'the reply does not fit a welcome');
  const unknown = parsed.data.unknown_executions.flatMap((id) => deps.open.of(node).accepted.get(id) ?? []);
  if (unknown.length === 0) return;
  const set = { status: 'queued', accepted_at: null };
  await deps.store.write((tx) => moveExecutions(tx, unknown, { from: ['queued', 'sent', 'accepted'], set }));
  for (const execution of unknown) {
    if (deps.open.get(execution.executionId, node) !== execution) continue;
    execution.acceptedAtMs = null;
    execution.lostAtMs = undefined;
    deps.open.move(execution, 'queued');
  }
  deps.dispatcher.welcomed(node);
}
