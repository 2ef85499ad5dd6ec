import { parseDuration } from '../../protocol/durations.js';
import type { Request } from '../../protocol/messages/request.js';
import { MAX_TIMER_MS } from '../../runtime/deadline.js';
import type { ReceivedRequest } from './received.js';

/** Accepted requests that wait a random part of their `spread` and hold no slot meanwhile. */
export type SpreadQueue = Readonly<{
  add: (received: ReceivedRequest) => void;
  /** Takes one out; undefined when it does not wait here. */
  remove: (id: string) => ReceivedRequest | undefined;
  /** Takes out all that `pick` chooses. */
  take: (pick: (received: ReceivedRequest) => boolean) => readonly ReceivedRequest[];
  waiting: () => readonly string[];
  /** Starts what is due and waits only for a slot, or for a welcome. */
  startDue: () => void;
  stop: () => void;
}>;

/** Whether a request waits before it starts. */
export function isSpread({ spread }: Request): boolean {
  return spread !== undefined;
}

/** `start` is called when a request is due and `hasSlot` says that it may; it takes the slot before it returns. */
export function createSpreadQueue({
  random,
  hasSlot,
  start,
}: {
  random: () => number;
  hasSlot: (received: ReceivedRequest) => boolean;
  start: (received: ReceivedRequest) => void;
}): SpreadQueue {
  /** By execution id. Whether its time has come is the timer's word alone: a timer may fire a little before a clock says so. */
  const waiting = new Map<string, { received: ReceivedRequest; isDue: boolean; timer: NodeJS.Timeout }>();
  let stopped = false;
  const startDue = (): void => {
    for (const [id, { received, isDue }] of waiting) {
      if (!isDue || !hasSlot(received)) continue;
      waiting.delete(id);
      start(received);
    }
  };
  const remove = (id: string): ReceivedRequest | undefined => {
    const found = waiting.get(id);
    clearTimeout(found?.timer);
    waiting.delete(id);
    return found?.received;
  };
  return {
    add(received) {
      if (stopped) return; // the journal has it: it is taken up again after the restart
      const waitMs = Math.min(MAX_TIMER_MS, random() * (parseDuration(received.request.spread ?? '') ?? 0));
      const entry = {
        received,
        isDue: false,
        timer: setTimeout(() => {
          entry.isDue = true;
          startDue();
        }, waitMs),
      };
      waiting.set(received.request.execution_id, entry);
    },
    remove,
    take: (pick) => [...waiting].flatMap(([id, { received }]) => (pick(received) ? (remove(id) ?? []) : [])),
    waiting: () => [...waiting.keys()],
    startDue,
    stop() {
      stopped = true;
      for (const { timer } of waiting.values()) clearTimeout(timer);
    },
  };
}
