import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { InvocationEvents } from '../events/invocation-events.js';
import type { ControllerMetrics } from '../metrics.js';
import type { Presence } from '../nodes/presence.js';
import type { Registry } from '../nodes/registry.js';
import type { ExecutionKey } from '../store/executions.js';
import type { Store } from '../store/store.js';
import type { Suspension } from '../suspension.js';
import { advanceRollout, type Step } from './advance-rollout.js';
import type { Dispatcher } from './dispatcher.js';
import { fixOctets } from './fix-octets.js';
import type { OpenExecutions } from './open-executions.js';

/** Begins the batches of invocations, each when the one before has ended and its pause is over. */
export type Rollouts = Readonly<{
  /** Called twice a second. */
  tick: () => void;
}>;

export type RolloutDeps = Readonly<{
  store: Store;
  registry: Registry;
  open: OpenExecutions;
  presence: Presence;
  dispatcher: Dispatcher;
  events: InvocationEvents;
  metrics: ControllerMetrics;
  suspension: Pick<Suspension, 'isSuspended'>;
  clock: Clock;
  log: Logger;
  org: string;
}>;

/** What the last look at a rollout found: it is looked at again when `begun` changes, or at `dueMs` (monotonic). */
type Look = { begun: number; dueMs: number; isPauseOver: boolean };

/** How long after a failed write it is tried again. */
const RETRY_MS = 1_000;

/**
 * What is held in memory says which invocations to look at; how far each has come is in the store alone, so that it
 * goes on where it was after any crash.
 */
export function createRollouts(deps: RolloutDeps): Rollouts {
  const { store, registry, open, suspension, clock, log, org } = deps;
  /** By invocation. */
  let looks = new Map<string, Look>();
  const busy = new Set<string>();

  async function advance(id: string, look: Look): Promise<void> {
    const { isPauseOver } = look;
    look.isPauseOver = false;
    look.dueMs = Number.POSITIVE_INFINITY;
    const nowMs = clock.nowMs();
    const step = await store.write((tx) => advanceRollout(tx, { id, org, registry, nowMs, isPauseOver }));
    if (step.kind === 'begun') await begin(deps, id, step);
    if (step.kind === 'stopped') stop(deps, id, step);
    if (step.kind === 'pausing') {
      // The pause is counted here, so that a clock that is set neither skips nor stretches it.
      look.dueMs = clock.monotonicMs() + Math.min(step.pauseMs, Math.max(0, step.endedMs + step.pauseMs - nowMs));
      look.isPauseOver = true;
    }
    if (step.kind === 'begun') look.dueMs = 0;
  }

  function lookAt(id: string, begun: number): void {
    const monotonicMs = clock.monotonicMs();
    const look = looks.get(id) ?? { begun: -1, dueMs: 0, isPauseOver: false };
    looks.set(id, look);
    if (busy.has(id)) return;
    const hasMoved = look.begun !== begun;
    if (!hasMoved && look.dueMs > monotonicMs) return;
    if (hasMoved) look.isPauseOver = false;
    look.begun = begun;
    busy.add(id);
    advance(id, look)
      .catch((err: unknown) => {
        look.dueMs = clock.monotonicMs() + RETRY_MS;
        log.warn({ err, invocationId: id }, 'batch not begun');
      })
      .finally(() => busy.delete(id));
  }

  return {
    tick() {
      if (suspension.isSuspended()) return;
      const rollouts = [...open.rollouts()];
      const ids = new Set(rollouts.map(({ invocationId }) => invocationId));
      looks = new Map([...looks].filter(([id]) => ids.has(id)));
      for (const { invocationId, begun } of rollouts) lookAt(invocationId, begun);
    },
  };
}

/**
 * Offers a batch that was committed. The requests of all nodes that are here are issued together first: while they are
 * held in memory the dispatcher does not issue them one by one.
 */
async function begin(
  deps: RolloutDeps,
  invocationId: string,
  { batch, expiresAtMs, executions }: Extract<Step, { kind: 'begun' }>,
): Promise<void> {
  const { open, presence, dispatcher, log } = deps;
  log.info({ invocationId, batch, count: executions.length }, 'batch begun');
  for (const execution of heldOf(open, executions)) execution.expiresAtMs = expiresAtMs;
  const here = heldOf(open, executions).filter(({ node }) => presence.isConnected(node));
  await fixOctets(deps, here).catch((err: unknown) => log.warn({ err, invocationId }, 'requests not issued together'));
  for (const execution of heldOf(open, executions)) {
    open.move(execution, 'queued');
    dispatcher.submit(execution, undefined);
  }
}

function stop(
  { open, dispatcher, events, metrics, log }: RolloutDeps,
  invocationId: string,
  { why, executions, ended }: Extract<Step, { kind: 'stopped' }>,
): void {
  log.warn({ invocationId, why, count: executions.length }, 'rollout stopped');
  for (const execution of heldOf(open, executions)) {
    open.remove(execution);
    metrics.executionEnded('cancelled');
    dispatcher.ended(execution.node);
  }
  events.ended(ended);
}

/** Somebody may have cancelled them while the commit was under way. */
function heldOf(open: OpenExecutions, keys: readonly ExecutionKey[]) {
  return keys.flatMap(({ executionId, node }) => {
    const execution = open.get(executionId, node);
    return execution?.state === 'held' ? [execution] : [];
  });
}
