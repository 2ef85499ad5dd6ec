import { isMusterError } from '../../protocol/errors.js';
import type { Mask } from '../../runtime/masking/mask.js';
import type { Action, OutputSink } from '../actions/action.js';
import { createOutputCapture, type OutputCapture } from '../actions/output-capture.js';
import type { Handover } from '../journal/records.js';
import { beginHandover, leaveWith } from '../machine.js';
import type { ExecutorDeps } from './executor.js';
import { followHandover } from './follow.js';
import { createMaskedSink } from './masked-sink.js';
import { type OutputMessages, startOutputMessages } from './output-messages.js';
import type { ReceivedRequest } from './received.js';
import type { Recorder } from './recorder.js';
import { type ExecutionEnd, errorEnd, runAction, timeoutOf, UNFORESEEN } from './run-action.js';
import { inlineLimit, pieceLimit, type Subject, subjectOf, toResult } from './to-result.js';
import { endInsteadOfStart } from './window.js';

/** What one execution needs from the executor. */
export type PerformContext = Readonly<{
  /** Fires when it has to end. */
  stop: AbortSignal;
  /** Fires when the process ends: what is handed over is left to the next one. */
  leaving: AbortSignal;
  /** Called at the start: what it publishes. */
  messages: (messages: OutputMessages) => void;
  /** Called when it is handed over: a stop need not wait for it. */
  handedOver: () => void;
  /** What a process before this one has left: then it is followed, and not run. */
  handover?: Handover;
}>;

/** Runs executions that hold a slot to their recorded and reported end, and ends those that do not run. */
export type Performer = Readonly<{
  perform: (received: ReceivedRequest, action: Action, context: PerformContext) => Promise<void>;
  /** Ends an execution that does not run. */
  conclude: (received: ReceivedRequest, end: ExecutionEnd) => Promise<void>;
  /** Ends an execution whose request cannot be read any more. */
  concludeUnread: (known: Readonly<{ id: string; sha256: string }>, end: ExecutionEnd) => Promise<void>;
}>;

type Printed = Readonly<{ capture: OutputCapture; messages?: OutputMessages; inlineBytes: number }>;

type Work = Readonly<{ received: ReceivedRequest; action: Action; output: OutputSink }>;

/** What a report says beside the end. `action` is empty when nobody knows it any more. */
type Reported = Readonly<{ subject: Subject; action: string }>;

const NOTHING_BYTES = 1024;

/** `lastCall` fires when a stop waits no longer for output messages; who misses them asks the next process. */
export function createPerformer(
  deps: Omit<ExecutorDeps, 'random' | 'find'>,
  { recorder, lastCall }: { recorder: Recorder; lastCall: AbortSignal },
): Performer {
  const { limits, journal, reporter, metrics, clock, log, speaker, mask, machine, standing } = deps;

  /** The result is on disk before it leaves: what has been said once is said the same way for ever. */
  async function report({ subject, action }: Reported, end: ExecutionEnd, printed: Printed): Promise<void> {
    const { executionId: id } = subject;
    const { capture, messages, inlineBytes } = printed;
    const said = end.error === undefined ? end : { ...end, error: mask.text(end.error) };
    const result = toResult(subject, said, {
      speaker,
      capture,
      inlineBytes,
      chunks: messages?.count() ?? 0,
      finishedAtMs: standing()?.nowMs ?? clock.nowMs(),
    });
    metrics.ended(action, end.status, end.durationMs / 1000);
    log.info({ execution_id: id, status: end.status, duration: result.duration }, 'action finished');
    const output = (): Iterable<Buffer> => messages?.payloads() ?? [];
    if (!(await recorder.record({ id, result: Buffer.from(JSON.stringify(result)), output }))) return;
    await messages?.sent(lastCall);
    reporter.result(id);
  }

  function concludeAs(reported: Reported, end: ExecutionEnd): Promise<void> {
    metrics.started();
    const capture = createOutputCapture({ maxBytes: NOTHING_BYTES });
    return report(reported, end, { capture, inlineBytes: NOTHING_BYTES });
  }

  /** Runs it to its end, or to where the end is for the next process to say. */
  async function begin({ received, action, output }: Work, stop: AbortSignal): Promise<ExecutionEnd | Handover> {
    const { request } = received;
    const { execution_id: id } = request;
    const executionLog = log.child({ execution_id: id });
    let handover: Handover | undefined;
    const end = await runAction(
      { request, action, timeoutMs: timeoutOf(request, action, limits.maxActionTimeoutMs), output, stop },
      {
        clock,
        log: executionLog,
        insteadOfStart: () => endInsteadOfStart(received, { standing: standing(), epochMs: journal.epochMs }),
        launched: () => journal.launched(id),
        async handOver(dueInMs) {
          const next = beginHandover(machine, dueInMs);
          if (!(await isWritten(journal.handOver(id, next)))) return false;
          handover = next;
          return true;
        },
      },
    );
    if (!('kind' in end)) return end;
    if (handover !== undefined) return handover;
    executionLog.error('action handed over nothing');
    return errorEnd('internal', UNFORESEEN);
  }

  /** Waits for what comes of a handover; undefined when that is for the next process to say. */
  async function follow(
    { received: { request }, action, output }: Work,
    handover: Handover,
    { stop: cancelled, leaving }: PerformContext,
  ): Promise<ExecutionEnd | undefined> {
    const { execution_id: id } = request;
    const end = await followHandover(
      { request, action, handover, output, cancelled, leaving },
      { machine, log: log.child({ execution_id: id }) },
    );
    if (end === undefined) await isWritten(journal.handOver(id, leaveWith(handover, machine)));
    return end;
  }

  return {
    async perform(received, action, context) {
      const { request, isLocal } = received;
      const capture = createOutputCapture({
        maxBytes: limits.maxOutputBytes,
        maxPieceBytes: pieceLimit(deps.maxPacketBytes),
      });
      const messages = startOutputMessages({
        executionId: request.execution_id,
        capture,
        speaker,
        // The controller learns of a local execution by its result, and asks for the output then.
        publish: isLocal ? async () => undefined : reporter.output,
        // What the process before has published has these places already.
        isLive: request.stream === true && context.handover === undefined,
      });
      context.messages(messages);
      metrics.started();
      const sink = createMaskedSink(capture, mask);
      const work = { received, action, output: sink };
      const begun = context.handover ?? (await begin(work, context.stop));
      if (!('status' in begun)) context.handedOver();
      const end = 'status' in begun ? begun : await follow(work, begun, context);
      sink.close();
      const inlineBytes = inlineLimit(deps.maxPacketBytes, subjectOf(received, mask));
      messages.finish(capture.size('stdout') > inlineBytes || capture.size('stderr') > inlineBytes);
      if (end !== undefined) await report(reportedOf(received, mask), end, { capture, messages, inlineBytes });
    },
    conclude: (received, end) => concludeAs(reportedOf(received, mask), end),
    concludeUnread: ({ id, sha256 }, end) =>
      concludeAs({ subject: { executionId: id, requestSha256: sha256 }, action: '' }, end),
  };
}

function reportedOf(received: ReceivedRequest, mask: Mask): Reported {
  return { subject: subjectOf(received, mask), action: received.request.action };
}

/** False when the disk did not take it. */
async function isWritten(write: Promise<void>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    if (!isMusterError(error, 'storage_failed')) throw error;
    return false;
  }
}
