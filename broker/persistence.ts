import { Readable } from 'node:stream';
import type { AedesPublishPacket } from 'aedes';
import { parseFilter, TOPICS, type TopicScope } from '../protocol/topics.js';

/** The part of aedes' persistence interface that a broker with clean sessions uses. */
export type Persistence = ReturnType<typeof createPersistence>;

/**
 * Keeps the retained messages in memory and nothing else: every session is clean, so that there are no subscriptions,
 * queues or Wills to restore. Looking up retained messages costs one step for an exact filter and nothing for filters of
 * kinds that are never retained: 5,000 nodes that come back at once must not each walk over 5,000 retained messages.
 */
export function createPersistence(scope: TopicScope) {
  /** The last retained message by topic. */
  const retained = new Map<string, AedesPublishPacket>();
  const nothing = async (): Promise<void> => undefined;

  return {
    // aedes looks at the constructor's name: these must be async functions.
    async setup(): Promise<void> {},
    async storeRetained(packet: AedesPublishPacket): Promise<void> {
      if (packet.payload.length === 0) retained.delete(packet.topic);
      else retained.set(packet.topic, { ...packet });
    },
    createRetainedStreamCombi: (filters: readonly string[]): Readable =>
      Readable.from(filters.flatMap((filter) => retainedFor(scope, retained, filter))),

    subscriptionsByTopic: async (): Promise<never[]> => [],
    subscriptionsByClient: async (): Promise<never[]> => [],
    addSubscriptions: nothing,
    removeSubscriptions: nothing,
    cleanSubscriptions: nothing,
    outgoingEnqueue: nothing,
    outgoingEnqueueCombi: nothing,
    outgoingUpdate: nothing,
    outgoingClearMessageId: nothing,
    outgoingStream: (): Readable => Readable.from([]),
    incomingStorePacket: nothing,
    incomingDelPacket: nothing,
    incomingGetPacket: () => Promise.reject(new Error('QoS 2 is refused before it is stored')),
    putWill: nothing,
    delWill: nothing,
    streamWill: (): Readable => Readable.from([]),
  };
}

function retainedFor(
  scope: TopicScope,
  retained: ReadonlyMap<string, AedesPublishPacket>,
  filter: string,
): AedesPublishPacket[] {
  const exact = retained.get(filter);
  if (exact !== undefined) return [exact];
  if (!mayMatchRetained(scope, filter)) return [];
  const levels = filter.split('/');
  return [...retained].flatMap(([topic, packet]) => (fits(levels, topic.split('/')) ? [packet] : []));
}

/** Whether a filter with wildcards may match anything that is ever retained: status, and the broker's own counters. */
function mayMatchRetained(scope: TopicScope, filter: string): boolean {
  if (filter.startsWith('$SYS/') || filter === `${scope.prefix}/${scope.org}/#`) return true;
  const found = parseFilter(scope, filter);
  return found !== undefined && filter.includes('+') && TOPICS[found.kind].retain;
}

function fits(filter: readonly string[], topic: readonly string[]): boolean {
  const isOpen = filter.at(-1) === '#';
  const fixed = isOpen ? filter.slice(0, -1) : filter;
  const lengthFits = isOpen ? topic.length >= fixed.length : topic.length === fixed.length;
  return lengthFits && fixed.every((level, index) => level === '+' || level === topic[index]);
}
