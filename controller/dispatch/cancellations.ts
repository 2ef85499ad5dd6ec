import { spreadBackoffMs } from '../../runtime/backoff.js';
import type { Clock } from '../../runtime/clock.js';
import type { Presence } from '../nodes/presence.js';
import type { Registry } from '../nodes/registry.js';
import type { Controls, SentControl } from './controls.js';
import { OFFER_BACKOFF } from './lane.js';
import { type OpenExecution, type OpenExecutions, openOn } from './open-executions.js';

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

/** How often one was told. `dueMs` is on the monotonic clock. */
type Telling = { attempts: number; dueMs: number; sent: SentControl | undefined };

/**
 * Takes over what `open` holds as cancelling, after a restart. What is looked at is what is open on one node: a fleet
 * that was away when its order was cancelled comes back all at once.
 */
export function createCancellations(deps: {
  open: OpenExecutions;
  registry: Registry;
  presence: Presence;
  controls: Controls;
  clock: Clock;
  random: () => number;
}): Cancellations {
  const { open, registry, presence, controls, clock, random } = deps;
  const tellings = new WeakMap<OpenExecution, Telling>();
  /** Nodes on which something may have to be told of. */
  const nodes = new Set<string>();
  for (const execution of open.all()) begin(execution);

  function begin(execution: OpenExecution): void {
    if (!execution.cancelling) return;
    tellings.set(execution, { attempts: 0, dueMs: 0, sent: undefined });
    nodes.add(execution.node);
  }

  function toldOn(node: string): { execution: OpenExecution; telling: Telling }[] {
    return openOn(open, node).flatMap((execution) => {
      const telling = tellings.get(execution);
      return telling === undefined ? [] : [{ execution, telling }];
    });
  }

  function tell({ executionId, node }: OpenExecution, processId: string, telling: Telling): void {
    telling.sent = controls.post(node, {
      kind: 'cancel',
      process_id: processId,
      execution_id: executionId,
      reason: REASON,
    });
    telling.dueMs = clock.monotonicMs() + spreadBackoffMs(telling.attempts, { ...OFFER_BACKOFF, random });
    telling.attempts += 1;
  }

  function tellDue(node: string): void {
    if (open.countOf(node) === 0) nodes.delete(node);
    const processId = registry.get(node)?.processId ?? null;
    if (processId === null || !presence.isConnected(node)) return;
    const told = toldOn(node);
    if (told.length === 0) nodes.delete(node);
    const nowMs = clock.monotonicMs();
    for (const { execution, telling } of told) if (telling.dueMs <= nowMs) tell(execution, processId, telling);
  }

  return {
    add(executions) {
      for (const execution of executions) begin(execution);
      for (const node of new Set(executions.map((execution) => execution.node))) tellDue(node);
    },
    welcomed(node) {
      for (const { execution } of toldOn(node)) begin(execution);
      tellDue(node);
    },
    answeredBy(node, { controlId, sha256 }) {
      const answered = ({ telling: { sent } }: { telling: Telling }): boolean =>
        sent?.controlId === controlId && sent.sha256 === sha256;
      return toldOn(node).find(answered)?.execution;
    },
    tick() {
      for (const node of nodes) tellDue(node);
    },
  };
}
