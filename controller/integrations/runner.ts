import { isMusterError, MusterError } from '../../protocol/errors.js';
import type { Logger } from '../../runtime/logger.js';
import type { InvocationEvents } from '../events/invocation-events.js';
import { readParameters } from '../http/target-schemas.js';
import { findIntegrationById } from '../store/integrations.js';
import type { InvocationRow } from '../store/invocations.js';
import type { Store } from '../store/store.js';
import type { Suspension } from '../suspension.js';
import { actionOf } from './adapter.js';
import { type CallDeps, callIntegration } from './call.js';
import { type ActionEnd, endAction } from './end-action.js';
import { fitJson } from './fit.js';
import { createPlaces } from './places.js';
import { digestOf } from './plan.js';

export type RunnerDeps = CallDeps &
  Readonly<{
    store: Store;
    events: InvocationEvents;
    suspension: Pick<Suspension, 'refuse'>;
    log: Logger;
    /** How long a call may take, token and all. */
    timeoutMs: number;
  }>;

/** A place among the calls under way; it is given back at the end of the call, or by `release` before it begins. */
export type Place = Readonly<{ begin: (row: InvocationRow) => void; release: () => void }>;

/** Runs what is approved: at once, once, and to a definite end. */
export type Runner = Readonly<{
  /** For a call of this integration, by its id. @throws {MusterError} too_many_open, suspended */
  take: (integration: string) => Place;
  /** Stores ends that the store did not take before. */
  settle: () => Promise<void>;
  /** Waits a while for what is under way, then ends it. */
  stop: () => Promise<void>;
}>;

/** A controller that stops waits so long for calls that are under way. */
const STOP_GRACE_MS = 3_000;
/** What is stored of an answer, in bytes. */
const MAX_RESULT_BYTES = 10 * 1024;

type Call = { readonly stop: AbortController; done: Promise<void> };

export function createRunner(deps: RunnerDeps): Runner {
  const { suspension, log } = deps;
  const calls = new Set<Call>();
  const unsettled = new Map<InvocationRow, ActionEnd>();
  const takePlace = createPlaces();
  let isStopping = false;

  async function run(row: InvocationRow, stop: AbortController): Promise<void> {
    const timer = setTimeout(() => stop.abort(), deps.timeoutMs);
    const end = await endOf(deps, row, stop.signal);
    clearTimeout(timer);
    const reached = isStopping && stop.signal.aborted ? STOPPED : end;
    try {
      await settle(row, reached);
    } catch (err) {
      unsettled.set(row, reached);
      log.warn({ err, invocationId: row.id }, 'end of an action not stored, tried again');
    }
  }

  async function settle(row: InvocationRow, end: ActionEnd): Promise<void> {
    const nowMs = deps.clock.nowMs();
    await deps.store.write((tx) => endAction(tx, row, { end, nowMs }));
    unsettled.delete(row);
    deps.events.ended([row.id]);
  }

  function begin(row: InvocationRow, free: () => void): void {
    const stop = new AbortController();
    if (isStopping) stop.abort(); // its commit came too late: nothing is sent
    const call: Call = { stop, done: Promise.resolve() };
    calls.add(call);
    call.done = run(row, stop).finally(() => {
      calls.delete(call);
      free();
    });
  }

  return {
    take(integration) {
      suspension.refuse();
      const free = takePlace(integration, unsettled.size);
      let isHeld = true;
      return {
        begin(row) {
          isHeld = false;
          begin(row, free);
        },
        release() {
          if (isHeld) free();
          isHeld = false;
        },
      };
    },
    async settle() {
      for (const [row, end] of unsettled) await settle(row, end);
    },
    async stop() {
      isStopping = true;
      const timer = setTimeout(() => {
        for (const { stop } of calls) stop.abort();
      }, STOP_GRACE_MS);
      await Promise.all([...calls].map(({ done }) => done));
      clearTimeout(timer);
    },
  };
}

const CHANGED = 'The action has changed since it was asked: ask again';

const STOPPED: ActionEnd = {
  kind: 'failed',
  code: 'outcome_unknown',
  error: 'The controller stopped while it was under way: whether it was done is not known',
};

async function endOf(deps: RunnerDeps, row: InvocationRow, signal: AbortSignal): Promise<ActionEnd> {
  const { store, log } = deps;
  try {
    const id = row.integration_id;
    const integration = id === null ? undefined : await findIntegrationById(store.read, row.org, id);
    if (integration?.status !== 'active') throw new MusterError('integration_gone', 'Integration no longer available');
    const params = readParameters(row.parameters);
    const value = await callIntegration(deps, integration, {
      signal,
      work: (adapter, via) => {
        const digest = digestOf(integration, actionOf(adapter, row.action), { action: row.action, parameters: params });
        if (digest !== row.digest) throw new MusterError('conflict', CHANGED); // its file was read anew a moment ago
        return adapter.execute(row.action, params, via);
      },
    });
    const fitted = fitJson(value, MAX_RESULT_BYTES);
    return { kind: 'completed', result: fitted.value, result_truncated: fitted.isCut };
  } catch (error) {
    if (isMusterError(error)) return { kind: 'failed', code: error.code, error: error.message };
    log.error({ err: error, invocationId: row.id }, 'adapter failed in an unforeseen way');
    return { kind: 'failed', code: 'internal', error: 'A fault in Muster or in the adapter: see the log' };
  }
}
