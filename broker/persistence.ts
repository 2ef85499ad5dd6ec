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
  if (filter === `${scope.prefix}/${scope.org}/#`) return [...retained.values()];
  const found = parseFilter(scope, filter);
  if (found === undefined || !filter.includes('+') || !TOPICS[found.kind].retain) return [];
  const levels = filter.split('/');
  return [...retained].flatMap(([topic, packet]) => (fits(levels, topic.split('/')) ? [packet] : []));
}

function fits(filter: readonly string[], topic: readonly string[]): boolean {
  return filter.length === topic.length && filter.every((level, index) => level === '+' || level === topic[index]);
}
