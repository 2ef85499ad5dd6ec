import type { RejectionReason } from '../../protocol/messages/ack.js';
import type { Target } from '../../protocol/messages/request.js';
import { spreadBackoffMs } from '../../runtime/backoff.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { BrokerLink } from '../broker-link.js';
import type { Keyring } from '../identity/keyring.js';
import type { Presence } from '../nodes/presence.js';
import type { Store } from '../store/store.js';
import type { Suspension } from '../suspension.js';
import { fixOctets } from './fix-octets.js';
import { createLane, type Lane, OFFER_BACKOFF } from './lane.js';
import type { Marks } from './marks.js';
import { type NodeQueue, type OpenExecution, type OpenExecutions, openOn } from './open-executions.js';
import { createSignedRequests } from './signed-requests.js';
import { createWaves } from './waves.js';

export type DispatchDeps = Readonly<{
  store: Store;
  open: OpenExecutions;
  presence: Presence;
  link: BrokerLink;
  keyring: Keyring;
  marks: Marks;
  suspension: Pick<Suspension, 'isSuspended'>;
  clock: Clock;
  log: Logger;
  random: () => number;
}>;

/** Offers requests until they are acked or past their time. What it offers is committed before. */
export type Dispatcher = Readonly<{
  /** A request for one node was committed; it is offered at once when there is room. */
  submit: (execution: OpenExecution, payload: string | undefined) => void;
  /** One request for many was committed: one publish for those that listen, the others get it on their own topic. */
  broadcast: (executions: readonly OpenExecution[], to: Exclude<Target, { node: string }>, payload: string) => void;
  /** The node was welcomed: everything un-acked is due at once. */
  welcomed: (node: string) => void;
  /** The node has connected anew: offers that went out while it was away are held against it no more. */
  returned: (node: string) => void;
  accepted: (execution: OpenExecution) => void;
  /** The node could not take it now. */
  refused: (execution: OpenExecution, reason: RejectionReason) => void;
  /** An execution of the node reached its end. */
  ended: (node: string) => void;
  /** Offers what is due; called twice a second. */
  tick: () => void;
}>;

/** Offers that nobody answers for so long make a node unreachable. */
const UNREACHABLE_MS = 30_000;

export function createDispatcher(deps: DispatchDeps): Dispatcher {
  const { open, presence, link, keyring, marks, suspension, clock, log, random } = deps;
  const lanes = new Map<string, Lane>();
  /** Payloads that were committed a moment ago, so that the first offer needs no query. */
  const fresh = new WeakMap<OpenExecution, string>();
  const pumping = new Map<string, { again: boolean }>();
  const signed = createSignedRequests(deps);
  const waves = createWaves();

  function laneOf(node: string): Lane {
    const lane = lanes.get(node) ?? createLane(random);
    lanes.set(node, lane);
    return lane;
  }

  function pump(node: string): void {
    const running = pumping.get(node);
    if (running !== undefined) {
      running.again = true;
      return;
    }
    const due = dueOn(node);
    if (due.length === 0) return;
    const run = { again: false };
    pumping.set(node, run);
    offerAll(due)
      .catch((err: unknown) => log.warn({ err, node }, 'offers failed'))
      .finally(() => {
        pumping.delete(node);
        if (run.again) pump(node);
      });
  }

  /** What may be offered to the node now: what it did not answer in time, then new work while there is room. */
  function dueOn(node: string): OpenExecution[] {
    if (suspension.isSuspended() || !link.connected || !presence.isConnected(node)) return [];
    const monotonicMs = clock.monotonicMs();
    const nowMs = clock.nowMs();
    const { sent, queued } = open.of(node);
    const due: OpenExecution[] = [];
    const mayGo = (each: OpenExecution): boolean =>
      !each.cancelling && each.notBeforeMs <= monotonicMs && each.expiresAtMs > nowMs && !isRolling(each, monotonicMs);
    for (const each of sent.values()) if (mayGo(each)) due.push(each);
    let room = laneOf(node).room(sent.size, monotonicMs);
    // One action of the node may be full while others are not: what was refused for that lets the others pass.
    for (const wasFull of [false, true]) {
      for (const each of queued.values()) {
        if (room <= 0) return due;
        if (each.wasFull !== wasFull || !mayGo(each)) continue;
        due.push(each);
        room -= 1;
      }
    }
    return due;
  }

  /** What rolls on is not looked at before its broadcast can have fallen silent. */
  function isRolling(execution: OpenExecution, monotonicMs: number): boolean {
    const untilMs = waves.rollsUntilMs(execution);
    if (untilMs <= monotonicMs) return false;
    execution.notBeforeMs = untilMs;
    return true;
  }

  async function offerAll(due: readonly OpenExecution[]): Promise<void> {
    const unfixed = due.filter(({ requestSha256 }) => requestSha256 === null);
    if (unfixed.length > 0) await fixOctets(deps, unfixed);
    for (const execution of due) await offer(execution);
  }

  async function offer(execution: OpenExecution): Promise<void> {
    const { executionId, node, requestSha256 } = execution;
    if (requestSha256 === null) return;
    const payload = fresh.get(execution);
    fresh.delete(execution);
    const envelope = payload === undefined ? await signed.find(executionId, requestSha256) : sign(payload);
    if (suspension.isSuspended() || open.get(executionId, node) !== execution) return;
    if (execution.state === 'accepted' || execution.cancelling) return;
    noteOffered(execution);
    publish('node_request', { node }, envelope);
  }

  function noteOffered(execution: OpenExecution): void {
    const monotonicMs = clock.monotonicMs();
    if (execution.state === 'queued') {
      laneOf(execution.node).offered(monotonicMs);
      open.move(execution, 'sent');
      marks.sent(execution);
    }
    execution.offered = true;
    execution.notBeforeMs = monotonicMs + spreadBackoffMs(execution.attempts, { ...OFFER_BACKOFF, random });
    execution.attempts += 1;
    execution.firstOfferedMs ??= monotonicMs;
    execution.unansweredSinceMs ??= monotonicMs;
  }

  function sign(payload: string): string {
    return keyring.sign('muster-request', payload);
  }

  function publish<K extends 'node_request' | 'group_request' | 'fleet_request'>(
    kind: K,
    params: Parameters<typeof link.publish<K>>[1],
    envelope: string,
  ): void {
    link.publish(kind, params, envelope).catch((err: unknown) => {
      log.debug({ err }, 'offer not published, repeated later');
    });
  }

  return {
    submit(execution, payload) {
      if (payload !== undefined && open.of(execution.node).queued.size <= 10) fresh.set(execution, payload);
      pump(execution.node);
    },
    broadcast(executions, to, payload) {
      if (suspension.isSuspended()) return;
      for (const execution of executions) execution.offered = true;
      const here = executions.filter(({ node }) => presence.isConnected(node));
      for (const execution of here) noteOffered(execution);
      waves.begin(here, clock.monotonicMs());
      if ('fleet' in to) publish('fleet_request', {}, sign(payload));
      else publish('group_request', { group: to.group }, sign(payload));
    },
    welcomed(node) {
      lanes.delete(node);
      const { sent, queued } = open.of(node);
      for (const execution of [...sent.values()]) open.move(execution, 'queued');
      for (const execution of queued.values()) {
        waves.leave(execution);
        execution.attempts = 0;
        execution.notBeforeMs = 0;
      }
      pump(node);
    },
    returned(node) {
      for (const execution of openOn(open, node)) {
        execution.unansweredSinceMs = undefined;
        if (!execution.unreachable) continue;
        execution.unreachable = false;
        marks.reachable(execution);
      }
    },
    accepted(execution) {
      waves.answered(execution, clock.monotonicMs());
      laneOf(execution.node).accepted();
      pump(execution.node);
    },
    refused(execution, reason) {
      waves.answered(execution, clock.monotonicMs());
      waves.leave(execution);
      laneOf(execution.node).refused(clock.monotonicMs());
      execution.attempts = 0;
      execution.notBeforeMs = 0;
      execution.wasFull = reason === 'max_concurrent_reached';
      execution.unansweredSinceMs = undefined;
      execution.unreachable = false;
      open.move(execution, 'queued');
      marks.requeued(execution, reason);
    },
    ended(node) {
      laneOf(node).freed();
      for (const execution of open.of(node).queued.values()) execution.wasFull = false;
      if (open.countOf(node) === 0) lanes.delete(node);
      else pump(node);
    },
    tick() {
      const monotonicMs = clock.monotonicMs();
      for (const [node, queue] of open.queues()) {
        if (!mayBeDue(queue, monotonicMs) || !presence.isConnected(node)) continue;
        for (const execution of queue.sent.values()) {
          if (!isSilent(execution, monotonicMs)) continue;
          execution.unreachable = true;
          marks.unreachable(execution);
        }
        pump(node);
      }
    },
  };
}

/** Looked at for every node with open work, twice a second: most of it is not due, and costs nothing else then. */
function mayBeDue({ sent, queued }: NodeQueue, monotonicMs: number): boolean {
  for (const each of sent.values()) if (each.notBeforeMs <= monotonicMs || isSilent(each, monotonicMs)) return true;
  for (const each of queued.values()) if (each.notBeforeMs <= monotonicMs) return true;
  return false;
}

/** Nobody has answered its offers for so long that its node counts as unreachable, which is not noted yet. */
function isSilent({ unreachable, unansweredSinceMs }: OpenExecution, monotonicMs: number): boolean {
  return !unreachable && unansweredSinceMs !== undefined && monotonicMs - unansweredSinceMs >= UNREACHABLE_MS;
}
