import { setMaxListeners } from 'node:events';
import { isMusterError } from '../../protocol/errors.js';
import type { RejectionReason } from '../../protocol/messages/ack.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { Mask } from '../../runtime/masking/mask.js';
import type { Action } from '../actions/action.js';
import type { ActionsConfig } from '../actions-config.js';
import type { Journal } from '../journal/contract.js';
import type { Handover } from '../journal/records.js';
import type { Machine } from '../machine.js';
import type { AgentMetrics } from '../metrics.js';
import { admit, type Standing } from './admission.js';
import { createPerformer } from './perform.js';
import type { ReceivedRequest } from './received.js';
import { createRecorder } from './recorder.js';
import { recoverOpen } from './recover-open.js';
import { CANCELLED, errorEnd } from './run-action.js';
import { createSlots, type Slot } from './slots.js';
import { createSpreadQueue, isSpread } from './spread-queue.js';
import type { Speaker } from './to-result.js';
import { BEFORE_EPOCH, endInsteadOfStart, isBeforeEpoch } from './window.js';

/** What the controller is told; the production reporter publishes signed messages (P-55, P-56). */
export type Reporter = Readonly<{
  /** @throws {MusterError} when it did not reach the broker; the execution goes on (P-105) */
  ack: (ack: Readonly<{ executionId: string; requestSha256: string; reason: RejectionReason | '' }>) => Promise<void>;
  /** @throws {MusterError} when it did not reach the broker; who misses it asks for it again */
  output: (payload: Buffer) => Promise<void>;
  /** A result is in the journal and has to reach the controller. */
  result: (executionId: string) => void;
}>;

export type ExecutorDeps = Readonly<{
  limits: ActionsConfig;
  maxPacketBytes: number;
  speaker: Speaker;
  mask: Mask;
  machine: Machine;
  /** Built-ins shadow hooks (P-29). */
  find: (name: string) => Action | undefined;
  journal: Journal;
  reporter: Reporter;
  /** What the last welcome of this process said; undefined before it. */
  standing: () => Standing | undefined;
  /** Asked for each request: whether only reading actions are taken now. */
  readsOnly: () => boolean;
  metrics: Pick<AgentMetrics, 'started' | 'ended' | 'acked'>;
  clock: Clock;
  /** Child logger with `component: "actions"` (P-19, P-115). */
  log: Logger;
  random: () => number;
}>;

/** Takes requests, runs them and records how they ended (P-18…P-25). */
export type Executor = Readonly<{
  /** Answers and, if accepted, starts a request; resolves with the answer once it was given. A local caller is not acked. */
  execute: (received: ReceivedRequest) => Promise<RejectionReason | ''>;
  /** Ends a running execution, or keeps one from starting. Durable when it resolves. */
  cancel: (cancel: Readonly<{ id: string; reason: string; expiresMs: number }>) => Promise<void>;
  /** Ends what a crash left open, and takes up again what was only waiting; resolves when the ends are on disk. */
  recover: () => Promise<void>;
  /** A welcome came: what waited for one may start, and what an epoch that it began leaves behind ends. */
  welcomed: () => void;
  /** Output messages so far of a running execution that streams, from this seq on. */
  liveOutput: (id: string, fromSeq: number) => Iterable<Buffer>;
  /** What has not ended on disk yet: running, waiting, or about to be recorded. */
  running: () => readonly string[];
  activeCount: () => number;
  /**
   * Refuses new requests, waits up to `drainMs` (or until `hurry`), then cancels; resolves when all have ended. What is
   * handed over stays open for the next process.
   */
  shutdown: (drainMs: number, hurry: AbortSignal) => Promise<void>;
}>;

/** In a stop what was cancelled has this long to reach the disk, and its output this long to reach the broker. */
const LAST_RECORD_MS = 4_000;
const LAST_OUTPUT_MS = 2_000;

/** An executor that runs nothing yet. */
export function createExecutor(deps: ExecutorDeps): Executor {
  const { limits, journal, reporter, metrics, clock, log } = deps;
  const recorder = createRecorder({ journal, clock, log });
  const lastCall = new AbortController();
  setMaxListeners(0, lastCall.signal); // one for each execution that reports: Node warns of more than ten
  const { perform, conclude, concludeUnread } = createPerformer(deps, { recorder, lastCall: lastCall.signal });
  const slots = createSlots(() => spread.startDue());
  /** Requests whose acceptance is on its way to the disk; a second delivery waits for it. */
  const accepting = new Map<string, Promise<void>>();
  let shuttingDown = false;
  const spread = createSpreadQueue({
    random: deps.random,
    hasSlot: ({ request }) =>
      slots.size < limits.maxConcurrent &&
      slots.activeOf(request.action) < (deps.find(request.action)?.concurrency ?? limits.maxConcurrent) &&
      !shuttingDown &&
      deps.standing() !== undefined,
    start: (waiting) => void startWaiting(waiting),
  });

  const isUnderWay = (id: string): boolean => slots.has(id) || recorder.pending().includes(id);

  async function execute(received: ReceivedRequest): Promise<RejectionReason | ''> {
    const { request, octets, sha256, isLocal = false } = received;
    const { execution_id: id } = request;
    log.info({ execution_id: id, action: request.action }, 'action request received');
    for (let other = accepting.get(id); other !== undefined; other = accepting.get(id)) await other;
    const admission = admit(request, sha256, {
      isLocal,
      enabled: limits.enabled,
      readsOnly: deps.readsOnly(),
      shuttingDown,
      entry: journal.find(id),
      standing: deps.standing(),
      epochMs: journal.epochMs,
      active: slots.size,
      activeOf: slots.activeOf,
      maxConcurrent: limits.maxConcurrent,
      find: deps.find,
    });
    if (admission.kind === 'rejected') {
      if (admission.reused) log.warn({ execution_id: id, event: 'id_reused' }, 'execution id came with other content');
      return reject(received, admission.reason);
    }
    if (admission.kind === 'repeat') {
      // The journal says "finished" a moment before the disk does; nobody may be told until then.
      if (isUnderWay(id)) return reject(received, 'duplicate_execution_id');
      await ack(received, '');
      if (journal.find(id)?.receipted === false) reporter.result(id);
      return '';
    }
    const waits = isSpread(request);
    // Nobody can repeat a local request, so its id need not be kept once the result is receipted.
    const expiresMs = isLocal ? 0 : Date.parse(request.expires_at);
    const entry = { id, sha256, octets, expiresMs, starting: !waits };
    const slot = waits ? undefined : slots.take(id, request.action); // before the first await: two deliveries in one tick run once
    const accepted = journal.accept(entry);
    accepting.set(
      id,
      accepted.catch(() => undefined),
    );
    try {
      await accepted;
    } catch (error) {
      if (!isMusterError(error, 'storage_failed')) throw error;
      slot?.free();
      return reject(received, 'storage_failed');
    } finally {
      accepting.delete(id);
    }
    const acked = ack(received, ''); // on its way before the start, so before the result; its PUBACK is not waited for
    if (slot === undefined) await addToSpread(received);
    else run(slot, received, admission.action);
    await acked;
    return '';
  }

  function run(slot: Slot, received: ReceivedRequest, action: Action, handover?: Handover): void {
    if (shuttingDown && handover === undefined) slot.cancel(); // it was being accepted when the stop began
    const left = handover === undefined ? {} : { handover };
    void perform(received, action, { ...slot.context, ...left }).finally(slot.free);
  }

  /** What the process before this one has left to it. */
  function takeUp(received: ReceivedRequest, handover: Handover, wasCancelled: boolean): boolean {
    const { execution_id: id, action: name } = received.request;
    const action = deps.find(name);
    if (action?.follow === undefined) return false;
    const slot = slots.take(id, name);
    if (wasCancelled) slot.cancel();
    run(slot, received, action, handover);
    return true;
  }

  /** A cancel may have come while the acceptance was on its way to the disk. */
  async function addToSpread(received: ReceivedRequest): Promise<void> {
    if (journal.find(received.request.execution_id)?.cancelled === undefined) spread.add(received);
    else await conclude(received, CANCELLED);
  }

  async function startWaiting(received: ReceivedRequest): Promise<void> {
    const { execution_id: id } = received.request;
    const entry = journal.find(id);
    if (entry === undefined || entry.state !== 'accepted') return;
    if (entry.cancelled !== undefined) return conclude(received, CANCELLED);
    const end = endInsteadOfStart(received, { standing: deps.standing(), epochMs: journal.epochMs });
    if (end !== undefined) return conclude(received, end);
    const action = deps.find(received.request.action);
    if (action === undefined) return conclude(received, errorEnd('hook_not_found', 'The action is no longer offered.'));
    const slot = slots.take(id, received.request.action);
    try {
      await journal.starting(id);
    } catch (error) {
      slot.free();
      if (!isMusterError(error, 'storage_failed')) throw error;
      return spread.add(received);
    }
    run(slot, received, action);
  }

  /** A welcome may have begun a new epoch: what waits since before it may have run, so that it ends here. */
  function onWelcome(): void {
    for (const received of spread.take((each) => isBeforeEpoch(each, journal.epochMs)))
      void conclude(received, BEFORE_EPOCH);
    spread.startDue();
  }

  async function ack({ request, sha256, isLocal }: ReceivedRequest, reason: RejectionReason | ''): Promise<void> {
    if (isLocal) return;
    metrics.acked(reason);
    try {
      await reporter.ack({ executionId: request.execution_id, requestSha256: sha256, reason });
    } catch (error) {
      if (!isMusterError(error)) throw error;
      log.warn({ execution_id: request.execution_id, error: error.message }, 'ack not sent');
    }
  }

  async function reject(received: ReceivedRequest, reason: RejectionReason): Promise<RejectionReason> {
    const { execution_id, action } = received.request;
    log.warn({ execution_id, action, reason }, reason === 'actions_disabled' ? 'actions disabled' : 'action rejected');
    await ack(received, reason);
    return reason;
  }

  return {
    execute,
    async cancel({ id, reason, expiresMs }) {
      slots.cancel(id); // also when the disk is full
      const waiting = spread.remove(id); // before the disk, so that it cannot fall due meanwhile
      try {
        await journal.cancel({ id, reason, expiresMs });
      } catch (error) {
        if (waiting !== undefined) spread.add(waiting);
        throw error;
      }
      slots.cancel(id);
      if (waiting !== undefined) await conclude(waiting, CANCELLED);
    },
    recover: () => recoverOpen({ journal, conclude, concludeUnread, resume: spread.add, takeUp, log }),
    welcomed: onWelcome,
    liveOutput: (id, fromSeq) => slots.messagesOf(id)?.payloads(fromSeq) ?? [],
    running: () =>
      [...new Set([...slots.ids(), ...spread.waiting(), ...recorder.pending()])].filter((id) => !accepting.has(id)),
    activeCount: () => slots.size,
    async shutdown(drainMs, hurry) {
      shuttingDown = true;
      spread.stop();
      await untilEither(slots.settled(), drainMs, hurry);
      const ended = slots.leave(); // before the cancel, which is not for what is handed over
      slots.cancelAll();
      const timer = setTimeout(() => lastCall.abort(), LAST_OUTPUT_MS);
      await Promise.all([ended, recorder.close(LAST_RECORD_MS)]);
      clearTimeout(timer);
    },
  };
}

function untilEither(work: Promise<unknown>, ms: number, hurry: AbortSignal): Promise<void> {
  return new Promise((over) => {
    const timer = setTimeout(done, ms);
    hurry.addEventListener('abort', done, { once: true });
    work.then(done, done);
    if (hurry.aborted) done();
    function done(): void {
      clearTimeout(timer);
      hurry.removeEventListener('abort', done);
      over();
    }
  });
}
