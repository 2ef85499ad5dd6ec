import { isMusterError } from '../../protocol/errors.js';
import { OUTPUT_LOST, type ReplyError } from '../../protocol/messages/reply.js';
import type { Logger } from '../../runtime/logger.js';
import type { Executor } from '../executor/executor.js';
import type { Journal } from '../journal/contract.js';

/** A `resend` of the controller; `refuse` tells it that there is nothing to send. */
export type Resend = Readonly<{ executionId: string; fromSeq: number; refuse: (error: ReplyError) => void }>;

/** Sends output again, one execution at a time. */
export type Resends = Readonly<{ take: (resend: Resend) => void }>;

/** So many messages await the broker at once; each of them is a copy of its bytes. */
const WINDOW = 4;
/** Beyond this many an ask is let go: the controller asks again. */
const MAX_WAITING = 1_000;

const LOST: ReplyError = {
  code: OUTPUT_LOST,
  title: 'Output lost',
  message: 'The node no longer has this piece of the output, or has it only damaged.',
  suggestion: 'Look at the disk of the node, and run the action again if the output is needed.',
  retryable: false,
  retry_commands: [],
};

/** `publish` resolves when the broker has the message; a link that is lost ends a resend, which is asked for again. */
export function createResends({
  journal,
  executor,
  publish,
  log,
}: {
  journal: Pick<Journal, 'outputOf'>;
  executor: Pick<Executor, 'liveOutput' | 'running'>;
  publish: (payload: Buffer) => Promise<void>;
  log: Logger;
}): Resends {
  /** By execution id: only its newest ask counts. */
  const waiting = new Map<string, Resend>();
  let current: string | undefined;

  async function answerAll(): Promise<void> {
    for (const [id, resend] of waiting) {
      waiting.delete(id);
      current = id;
      await answer(resend);
    }
    current = undefined;
  }

  async function answer({ executionId, fromSeq, refuse }: Resend): Promise<void> {
    try {
      const isRunning = executor.running().includes(executionId);
      const kept = isRunning ? executor.liveOutput(executionId, fromSeq) : journal.outputOf(executionId, fromSeq);
      if (!(await sendAll(kept)) && !isRunning) refuse(LOST);
    } catch (error) {
      if (!isMusterError(error)) throw error;
      log.debug({ execution_id: executionId, error: error.message }, 'output not sent again');
    }
  }

  /** False when there was nothing to send. @throws {MusterError} when one does not get through, or cannot be read */
  async function sendAll(payloads: Iterable<Buffer>): Promise<boolean> {
    const underWay = new Set<Promise<void>>();
    let hasSome = false;
    for (const payload of payloads) {
      hasSome = true;
      const sending = publish(payload).finally(() => underWay.delete(sending));
      sending.catch(() => undefined); // it is met below, but maybe not at once
      underWay.add(sending);
      if (underWay.size >= WINDOW) await Promise.race(underWay);
    }
    await Promise.all(underWay);
    return hasSome;
  }

  return {
    take(resend) {
      const { executionId } = resend;
      if (executionId === current || (waiting.size >= MAX_WAITING && !waiting.has(executionId))) return;
      waiting.set(executionId, resend);
      if (current === undefined) void answerAll();
    },
  };
}
