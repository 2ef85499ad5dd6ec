import type { Output } from '../../protocol/messages/output.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { Dispatcher } from '../dispatch/dispatcher.js';
import type { Marks } from '../dispatch/marks.js';
import type { OpenExecutions } from '../dispatch/open-executions.js';
import type { InvocationEvents } from '../events/invocation-events.js';
import type { ControllerMetrics } from '../metrics.js';
import type { Registry } from '../nodes/registry.js';
import type { Store } from '../store/store.js';
import type { MissingOutput } from './missing-output.js';
import type { Objections } from './objections.js';
import type { StoredResult } from './reported-result.js';
import type { Shield } from './shield.js';
import { type Judged, storeEvidence } from './store-evidence.js';

/** A verified result as it waits to be stored. */
export type ResultEvidence = Readonly<{
  kind: 'result';
  /** Whose word it is: the node's key, or the token of one that has none. */
  evidence: 'signature' | 'token';
  node: string;
  result: StoredResult;
  payloadSha256: string;
  jws: string;
  /** What came, when `result` and `jws` are its masked copy. */
  sealed?: string;
}>;

/** A verified result or piece of output, as it waits to be stored. */
export type Evidence = ResultEvidence | Readonly<{ kind: 'output'; node: string; output: Output }>;

export type EvidenceDeps = Readonly<{
  store: Store;
  registry: Registry;
  open: OpenExecutions;
  marks: Marks;
  dispatcher: Dispatcher;
  events: InvocationEvents;
  metrics: ControllerMetrics;
  missingOutput: MissingOutput;
  objections: Objections;
  /** What is stored holds no registered value. */
  shield: Shield;
  clock: Clock;
  log: Logger;
  org: string;
}>;

/** Stores results and output in batches, one transaction each, then answers. */
export type EvidenceStore = Readonly<{
  /** A returned promise holds back whoever sends too fast, until there is room. */
  add: (evidence: Evidence) => void | Promise<void>;
  /** For whoever waits for the answer: what became of it, once that is on disk. @throws {MusterError} storage_failed */
  addNow: (evidence: ResultEvidence) => Promise<Judged['verdict'] | undefined>;
  /** How many wait for their commit. */
  pending: () => number;
  /** Resolves when all that was added is stored. */
  drained: () => Promise<void>;
}>;

const MAX_BATCH = 500;
/** Beyond so many that wait for their commit, whoever sends more is held back. */
export const MAX_WAITING = 2_000;
/** After a commit of so many pieces, within so long, more are on their way: they share the next one, 50 ms later. */
const MANY = 16;
const STREAM_MS = 200;

export function createEvidenceStore(deps: EvidenceDeps): EvidenceStore {
  let waiting: Evidence[] = [];
  let running: Promise<void> | undefined;
  const held: (() => void)[] = [];
  /** When a commit of many ended, monotonic. */
  let manyAtMs = Number.NEGATIVE_INFINITY;

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      // Taken when the commit begins, so that whatever came with the same read of the socket shares it.
      let batch: readonly Evidence[] | undefined;
      try {
        const stored = await deps.store.write(
          (tx) => {
            batch ??= take();
            return storeEvidence(tx, deps, batch);
          },
          { lazy: deps.clock.monotonicMs() - manyAtMs < STREAM_MS },
        );
        answer(deps, stored.judged);
        deps.events.ended(stored.ended);
      } catch (err) {
        batch ??= take();
        deps.log.error({ err, count: batch.length }, 'results not stored, nodes send them again');
      }
      if (batch !== undefined && batch.length >= MANY) manyAtMs = deps.clock.monotonicMs();
      for (const release of held.splice(0)) release();
    }
    running = undefined;
  }

  function take(): readonly Evidence[] {
    const batch = waiting.slice(0, MAX_BATCH);
    waiting = waiting.slice(MAX_BATCH);
    return batch;
  }

  return {
    add(evidence) {
      waiting.push(evidence.kind === 'result' ? deps.shield.result(evidence) : evidence);
      running ??= run();
      return waiting.length < MAX_WAITING ? undefined : new Promise((release) => held.push(release));
    },
    async addNow(evidence) {
      const shown = deps.shield.result(evidence);
      const { judged, ended } = await deps.store.write((tx) => storeEvidence(tx, deps, [shown]));
      answer(deps, judged);
      deps.events.ended(ended);
      return judged[0]?.verdict;
    },
    pending: () => waiting.length,
    async drained() {
      await running;
    },
  };
}

/** What follows from a commit: executions are closed, receipts sent, lies told of. */
function answer(deps: EvidenceDeps, judged: readonly Judged[]): void {
  const { open, marks, dispatcher, metrics, missingOutput, objections, clock, log } = deps;
  const output: string[] = [];
  for (const { evidence, verdict, made } of judged) {
    const { node } = evidence;
    if (verdict !== 'stored' && verdict !== 'duplicate') {
      objections.note(verdict, { node, executionId: executionIdOf(evidence) });
      continue;
    }
    if (evidence.kind === 'output') {
      output.push(`${evidence.output.execution_id}/${node}`);
      continue;
    }
    const { execution_id: executionId, chunks, status, violation } = evidence.result;
    missingOutput.resultStored({ executionId, node, chunks });
    if (verdict === 'stored' && violation !== undefined) {
      metrics.hookViolation();
      log.error(
        { node, executionId, expected: violation.expected, actual: violation.actual },
        'hook was not as pinned',
      );
    }
    if (made !== undefined) {
      metrics.invocationMade(made);
      metrics.executionEnded(status);
    }
    const execution = open.get(executionId, node);
    if (verdict === 'duplicate' || execution === undefined) continue;
    open.remove(execution);
    marks.drop(execution);
    metrics.executionEnded(status);
    if (execution.firstOfferedMs !== undefined) {
      metrics.executionLatency((clock.monotonicMs() - execution.firstOfferedMs) / 1000);
    }
    dispatcher.ended(node);
  }
  missingOutput.outputStored(output);
}

function executionIdOf(evidence: Evidence): string {
  return evidence.kind === 'result' ? evidence.result.execution_id : evidence.output.execution_id;
}
