import { spreadBackoffMs } from '../../runtime/backoff.js';
import type { Clock } from '../../runtime/clock.js';
import type { Presence } from '../nodes/presence.js';
import type { Registry } from '../nodes/registry.js';
import type { Controls, SentControl } from './controls.js';
import { OFFER_BACKOFF } from './lane.js';
import type { OpenExecution, OpenExecutions } from './open-executions.js';

/** Tells nodes what is to end, until each has answered. */
export type Cancellations = Readonly<{
  /** The executions are `cancelling`, and that is stored: their nodes are told at once where they are connected. */
  add: (executions: readonly OpenExecution[]) => void;
  /** The node was welcomed: it is told again at once. */
  welcomed: (node: string) => void;
  /** The execution whose newest cancel this reply answers. */
  answeredBy: (node: string, reply: SentControl) => OpenExecution | undefined;
  /** Tells again what is due; called twice a second. */
  tick: () => void;
}>;

/** Why the node is told to end it: people's reasons stay in the audit log. */
const REASON = 'cancelled';

/** One that is being told. `dueMs` is on the monotonic clock. */
type Telling = { attempts: number; dueMs: number; sent: SentControl | undefined };

/** Takes over what `open` holds as cancelling, after a restart. */
export function createCancellations(deps: {
  open: OpenExecutions;
  registry: Registry;
  presence: Presence;
  controls: Controls;
  clock: Clock;
  random: () => number;
}): Cancellations {
  const { open, registry, presence, controls, clock, random } = deps;
  const telling = new Map<OpenExecution, Telling>();
  const begin = (executions: Iterable<OpenExecution>): void => {
    for (const each of executions) if (each.cancelling) telling.set(each, { attempts: 0, dueMs: 0, sent: undefined });
  };
  begin(open.all());

  function tell(execution: OpenExecution, state: Telling): void {
    const { executionId, node } = execution;
    const processId = registry.get(node)?.processId ?? null;
    if (processId === null || !presence.isConnected(node)) return;
    state.sent = controls.post(node, {
      kind: 'cancel',
      process_id: processId,
      execution_id: executionId,
      reason: REASON,
    });
    state.dueMs = clock.monotonicMs() + spreadBackoffMs(state.attempts, { ...OFFER_BACKOFF, random });
    state.attempts += 1;
  }

  function tellDue(): void {
    const nowMs = clock.monotonicMs();
    for (const [execution, state] of telling) {
      if (open.get(execution.executionId, execution.node) !== execution) telling.delete(execution);
      else if (state.dueMs <= nowMs) tell(execution, state);
    }
  }

  return {
    add(executions) {
      begin(executions);
      tellDue();
    },
    welcomed(node) {
      for (const [execution, state] of telling) {
        if (execution.node !== node) continue;
        state.attempts = 0;
        state.dueMs = 0;
      }
      tellDue();
    },
    answeredBy(node, { controlId, sha256 }) {
      for (const [execution, { sent }] of telling) {
        if (execution.node === node && sent?.controlId === controlId && sent.sha256 === sha256) return execution;
      }
      return undefined;
    },
    tick: tellDue,
  };
}
