import { z } from 'zod';
import { MusterError } from '../../protocol/errors.js';
import { ExecutionId } from '../../protocol/ids.js';
import { MAX_HELLO_LIST } from '../../protocol/messages/hello.js';
import { Reply } from '../../protocol/messages/reply.js';
import type { IncomingMessage } from '../../runtime/mqtt-session.js';
import type { SentControl } from '../dispatch/controls.js';
import type { Dispatcher } from '../dispatch/dispatcher.js';
import type { OpenExecutions } from '../dispatch/open-executions.js';
import { moveExecutions } from '../store/executions.js';
import type { Store } from '../store/store.js';
import { type Judge, openNodeMessage } from './open-message.js';

export type ReplyDeps = Judge &
  Readonly<{
    store: Store;
    open: OpenExecutions;
    dispatcher: Dispatcher;
    welcomes: ReadonlyMap<string, SentControl>;
  }>;

/** What a node may say to a welcome: wanted executions that its journal lacks. */
const WelcomeData = z.object({ unknown_executions: z.array(ExecutionId).max(MAX_HELLO_LIST).default([]) });

/**
 * Takes a reply to a welcome. What the node does not know was never accepted, whatever an ack said: it is offered
 * again, the same octets.
 * @throws {MusterError} a refusal of openNodeMessage, stale
 */
export async function takeReply(deps: ReplyDeps, message: IncomingMessage): Promise<void> {
  const { value: reply } = openNodeMessage(deps, message, { typ: 'muster-reply', schema: Reply });
  const { node, control_id, control_sha256, data } = reply;
  const welcome = deps.welcomes.get(node);
  if (welcome?.controlId !== control_id || welcome.sha256 !== control_sha256) {
    throw new MusterError('stale', 'the reply answers no welcome that is awaited');
  }
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
