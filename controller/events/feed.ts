import { addAbortListener } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from '../../runtime/logger.js';
import type { EventFeed, FeedEvent, FeedPage } from '../services.js';
import { findEventHead, readEvents } from '../store/events.js';
import type { Store } from '../store/store.js';
import { decodeRow } from './decode.js';

/** The newest events stay in memory, so that many streams cost one read; in events and in characters of JSON. */
const MAX_RECENT = 10_000;
const MAX_RECENT_CHARACTERS = 8 * 1024 * 1024;
const EVENTS_PER_PAGE = 1_000;

/**
 * The log of events as streams read it. It is read when this controller has written to it, and by `poll` for what
 * others wrote; while nobody listens it is not read at all.
 */
export function createEventFeed({
  store,
  log,
}: {
  store: Store;
  log: Logger;
}): EventFeed & Readonly<{ poll: () => void; stop: () => void }> {
  /** Every event after `start`, without a gap, up to `position`. */
  let recent: FeedEvent[] = [];
  let characters = 0;
  let start = 0;
  let position = 0;
  let readers = 0;
  let isBehind = false;
  let isReading = false;
  const waiters = new Set<() => void>();

  /** Reads what is new, until there is nothing; what is written meanwhile makes one more round. */
  function catchUp(): void {
    isBehind = true;
    if (readers === 0 || isReading) return;
    isReading = true;
    readOn().catch((err: unknown) => log.error({ err }, 'events not read'));
  }

  async function readOn(): Promise<void> {
    try {
      while (isBehind && readers > 0) {
        isBehind = false;
        const rows = await readEvents(store.read, position);
        if (rows.length === 0) continue;
        isBehind = true; // there may be more than one read gives
        for (const row of rows) {
          if (row.firstId > position + 1) forget(row.firstId - 1); // what lay between is no longer held
          take(decodeRow(row, position));
        }
        for (const wake of [...waiters]) wake();
        await nextTurn(); // the database answers within the same turn: others get theirs
      }
    } finally {
      isReading = false;
    }
  }

  function take(events: readonly FeedEvent[]): void {
    for (const event of events) {
      recent.push(event);
      characters += event.text.length;
      position = event.id;
    }
    let surplus = 0;
    while (recent.length - surplus > MAX_RECENT || characters > MAX_RECENT_CHARACTERS) {
      characters -= recent[surplus]?.text.length ?? 0;
      surplus += 1;
    }
    if (surplus === 0) return;
    recent = recent.slice(surplus);
    start = position - recent.length;
  }

  function forget(at: number): void {
    recent = [];
    characters = 0;
    start = at;
    position = at;
  }

  function close(): void {
    readers -= 1;
    if (readers === 0) forget(position);
  }

  const stopListening = store.onEvents(catchUp);
  return {
    async open() {
      const head = await findEventHead(store.read);
      if (readers === 0) forget(head);
      readers += 1;
      catchUp(); // somebody may have written since the head was read
      return { head, close };
    },
    head: () => findEventHead(store.read),
    async read(after): Promise<FeedPage | 'gone'> {
      if (after >= start && after <= position) {
        const events = recent.slice(after - start, after - start + EVENTS_PER_PAGE);
        return { events, last: after + events.length };
      }
      await nextTurn();
      const rows = await readEvents(store.read, after);
      const [first] = rows;
      if (first === undefined)
        return after === (await findEventHead(store.read)) ? { events: [], last: after } : 'gone';
      if (first.firstId > after + 1) return 'gone';
      const events = rows.flatMap((row) => decodeRow(row, after));
      return { events, last: rows.at(-1)?.lastId ?? after };
    },
    changed(after, { ms, signal }) {
      if (position > after || signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          waiters.delete(done);
          listener[Symbol.dispose]();
          resolve();
        };
        const timer = setTimeout(done, ms);
        const listener = addAbortListener(signal, done);
        waiters.add(done);
      });
    },
    poll() {
      if (readers > 0) catchUp();
    },
    stop: stopListening,
  };
}
