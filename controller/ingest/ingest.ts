import { sha256Hex } from '../../protocol/envelope.js';
import { isMusterError, MusterError } from '../../protocol/errors.js';
import { Output } from '../../protocol/messages/output.js';
import type { Result } from '../../protocol/messages/result.js';
import type { TopicKind } from '../../protocol/topics.js';
import type { IncomingMessage } from '../../runtime/mqtt-session.js';
import { takeAck } from './acks.js';
import { takeCapabilities } from './capabilities.js';
import { type EvidenceStore, MAX_WAITING } from './evidence.js';
import { type HelloDeps, takeHello } from './hello.js';
import type { LocalAllowance } from './local-allowance.js';
import type { Objections } from './objections.js';
import { type NodeMessage, openNodeMessage } from './open-message.js';
import { type ReplyDeps, takeReply } from './replies.js';
import { createResultOpening } from './result-opening.js';
import { takeStatus } from './status.js';

/** The topics that the controller reads. */
export const INGESTED = [
  'hello',
  'ack',
  'output',
  'result',
  'reply',
  'capabilities',
  'status',
] as const satisfies TopicKind[];

export type IngestDeps = HelloDeps &
  ReplyDeps &
  Readonly<{ evidence: EvidenceStore; objections: Objections; mayAddLocal: LocalAllowance }>;

/** Judges and takes what nodes say. */
export type Ingest = Readonly<{
  /** A returned promise holds back the next message. */
  take: (message: IncomingMessage) => void | Promise<void>;
  /** Resolves when all that was taken is stored. */
  drained: () => Promise<void>;
}>;

/** Beyond this many messages that wait for the disk, the connection is read no further. */
const MAX_UNSETTLED = 1_000;

export function createIngest(deps: IngestDeps): Ingest {
  const { objections, evidence, log } = deps;
  const unsettled = new Set<Promise<void>>();
  /** The last message of each node that changes its record: they are taken one after the other. */
  const turns = new Map<string, Promise<void>>();
  const opening = createResultOpening(deps, evidence.pending);

  function refuse(message: IncomingMessage, error: unknown): void {
    const { kind, levels } = message;
    if (!isMusterError(error)) throw error;
    if (error.code === 'not_connected' || error.code === 'deadline_passed')
      log.debug({ err: error }, 'answer not published');
    else objections.refuse(error, { kind, node: levels.node });
  }

  function settle(message: IncomingMessage, work: Promise<void>): void | Promise<void> {
    const settled = work
      .catch((error: unknown) => refuse(message, error))
      .catch((err: unknown) => log.error({ err, kind: message.kind }, 'message not taken'))
      .finally(() => unsettled.delete(settled));
    unsettled.add(settled);
    return unsettled.size < MAX_UNSETTLED && evidence.pending() < MAX_WAITING ? undefined : settled;
  }

  /** What is done already holds nobody back. */
  function settleLater(message: IncomingMessage, work: void | Promise<void>): void | Promise<void> {
    return work === undefined ? undefined : settle(message, work);
  }

  function inTurn(node: string, work: () => Promise<void>): Promise<void> {
    const turn = (turns.get(node) ?? Promise.resolve()).then(work, work);
    turns.set(node, turn);
    const forget = (): void => {
      if (turns.get(node) === turn) turns.delete(node);
    };
    turn.then(forget, forget);
    return turn;
  }

  function route(message: IncomingMessage): void | Promise<void> {
    const { node = '' } = message.levels;
    switch (message.kind) {
      case 'result':
        return settleLater(
          message,
          opening.take(message, (opened) => takeResult(deps, message, opened)),
        );
      case 'output':
        return takeOutput(deps, message);
      case 'ack':
        return settle(message, takeAck(deps, message));
      case 'status':
        return takeStatus(deps, message);
      case 'hello':
        return settle(
          message,
          inTurn(node, () => takeHello(deps, message)),
        );
      case 'capabilities':
        return settle(
          message,
          inTurn(node, () => takeCapabilities(deps, message)),
        );
      case 'reply':
        return settle(message, takeReply(deps, message));
      default:
        return undefined;
    }
  }

  return {
    take(message) {
      try {
        return route(message);
      } catch (error) {
        refuse(message, error);
      }
    },
    async drained() {
      while (unsettled.size > 0) await Promise.all(unsettled);
      await evidence.drained();
    },
  };
}

function takeResult(
  deps: IngestDeps,
  message: IncomingMessage,
  { record: { node }, payload, value: result }: NodeMessage<Result>,
): void | Promise<void> {
  deps.presence.seen(node, deps.clock.nowMs());
  if (result.origin === 'local' && !deps.mayAddLocal(node)) {
    throw new MusterError('rate_limited', 'the node reports more local executions than may be stored at once');
  }
  const jws = message.payload.toString('latin1');
  return deps.evidence.add({
    kind: 'result',
    evidence: 'signature',
    node,
    result,
    payloadSha256: sha256Hex(payload),
    jws,
  });
}

function takeOutput(deps: IngestDeps, message: IncomingMessage): void | Promise<void> {
  const { record, value: output } = openNodeMessage(deps, message, { typ: 'muster-output', schema: Output });
  return deps.evidence.add({ kind: 'output', node: record.node, output });
}
