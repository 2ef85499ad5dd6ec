import { EventEmitter } from 'node:events';
import type { NodeState } from '../http/schemas.js';
import type { NodeRecord } from './registry.js';

/**
 * Which nodes have said hello on this connection of ours to the broker, and when each was heard last. A guess that
 * only decides when to offer; what a node did, its signed messages say.
 */
export type Presence = Readonly<{
  isConnected: (node: string) => boolean;
  connectedNodes: () => Iterable<string>;
  connected: (node: string, atMs: number) => void;
  disconnected: (node: string) => void;
  /** The node was removed. */
  forget: (node: string) => void;
  /** Calls `listener` when this node says or is said to be gone, until the returned function is called. */
  onGone: (node: string, listener: () => void) => () => void;
  /** Our own link broke: nothing is known of anybody. */
  forgetAll: () => void;
  /** A verified message came. */
  seen: (node: string, atMs: number) => void;
  /** A node without a connection fetched what it has to do, or said what became of it. */
  polled: (node: string, atMs: number) => void;
  /** The nodes that polled within the last 60 s; the others are not looked at again. */
  pollers: (nowMs: number) => string[];
  /** Milliseconds since 1970; undefined when it was not heard since this controller started. */
  lastSeenMs: (node: string) => number | undefined;
  readonly connectedCount: number;
  /** How often `forgetAll` was called. */
  readonly timesForgotten: number;
}>;

export function createPresence(): Presence {
  const connected = new Set<string>();
  const lastSeen = new Map<string, number>();
  const polling = new Set<string>();
  let timesForgotten = 0;
  const gone = new EventEmitter().setMaxListeners(0); // one for each caller that waits for a node
  return {
    isConnected: (node) => connected.has(node),
    connectedNodes: () => connected.values(),
    connected(node, atMs) {
      connected.add(node);
      lastSeen.set(node, atMs);
    },
    disconnected(node) {
      if (connected.delete(node)) gone.emit(eventOf(node));
    },
    forget(node) {
      if (connected.delete(node)) gone.emit(eventOf(node));
      lastSeen.delete(node);
      polling.delete(node);
    },
    onGone(node, listener) {
      gone.once(eventOf(node), listener);
      return () => gone.off(eventOf(node), listener);
    },
    forgetAll() {
      timesForgotten += 1;
      connected.clear();
    },
    seen: (node, atMs) => {
      lastSeen.set(node, atMs);
    },
    polled(node, atMs) {
      polling.add(node);
      lastSeen.set(node, atMs);
    },
    pollers(nowMs) {
      for (const node of polling) if (!isRecent(lastSeen.get(node), nowMs)) polling.delete(node);
      return [...polling];
    },
    lastSeenMs: (node) => lastSeen.get(node),
    get connectedCount() {
      return connected.size;
    },
    get timesForgotten() {
      return timesForgotten;
    },
  };
}

/** No node is called so that its name would mean something to an emitter, such as `error`. */
function eventOf(node: string): string {
  return `node:${node}`;
}

/** Nodes that poll do so every 30 s: this one has missed one poll at most. */
const POLLED_MS = 60_000;

function isRecent(lastSeenMs: number | undefined, nowMs: number): boolean {
  return lastSeenMs !== undefined && nowMs - lastSeenMs <= POLLED_MS;
}

/** Whether the node is connected, or polls; was here once; or never. */
export function stateOf(
  presence: Presence,
  record: Pick<NodeRecord, 'node' | 'key' | 'lastSeenMs'>,
  nowMs: number,
): NodeState {
  const { node, key } = record;
  const lastSeenMs = presence.lastSeenMs(node) ?? record.lastSeenMs;
  if (lastSeenMs === null) return 'never_seen';
  const isHere = key === undefined ? isRecent(lastSeenMs, nowMs) : presence.isConnected(node);
  return isHere ? 'online' : 'offline';
}
