import { setMaxListeners } from 'node:events';
import { createGate } from '../../runtime/gate.js';
import type { OutputMessages } from './output-messages.js';
import type { PerformContext } from './perform.js';

/** A place among the executions that run, from the first moment on in which a second delivery must see it. */
export type Slot = Readonly<{
  context: Omit<PerformContext, 'handover'>;
  /** Tells the execution to end. */
  cancel: () => void;
  free: () => void;
}>;

/** The executions that run, by id. */
export type Slots = Readonly<{
  readonly size: number;
  has: (id: string) => boolean;
  ids: () => readonly string[];
  /** How many executions of an action run. */
  activeOf: (action: string) => number;
  take: (id: string, action: string) => Slot;
  /** Tells one to end, if it runs. */
  cancel: (id: string) => void;
  cancelAll: () => void;
  /** What one publishes; undefined before it runs. */
  messagesOf: (id: string) => OutputMessages | undefined;
  /** Resolves when each that runs now has ended, or is handed over to the next process. */
  settled: () => Promise<unknown>;
  /** Leaves what is handed over to the next process; resolves when nothing runs any more. */
  leave: () => Promise<unknown>;
}>;

type Taken = Readonly<{
  action: string;
  cancel: AbortController;
  ended: Promise<void>;
  settled: Promise<void>;
  messages: () => OutputMessages | undefined;
}>;

/** All free; `onFree` is called after each that becomes free again. */
export function createSlots(onFree: () => void): Slots {
  const taken = new Map<string, Taken>();
  const leaving = new AbortController();
  setMaxListeners(0, leaving.signal); // one for each execution that is handed over: Node warns of more than ten
  const all = (which: 'ended' | 'settled'): Promise<unknown> =>
    Promise.all([...taken.values()].map((each) => each[which]));

  return {
    get size() {
      return taken.size;
    },
    has: (id) => taken.has(id),
    ids: () => [...taken.keys()],
    activeOf: (name) => [...taken.values()].filter(({ action }) => action === name).length,
    take(id, action) {
      const cancel = new AbortController();
      const [ended, settled] = [createGate(), createGate()];
      let messages: OutputMessages | undefined;
      taken.set(id, { action, cancel, ended: ended.whenOpen, settled: settled.whenOpen, messages: () => messages });
      return {
        context: {
          stop: cancel.signal,
          leaving: leaving.signal,
          handedOver: settled.open,
          messages(started) {
            messages = started;
          },
        },
        cancel: () => cancel.abort(),
        free() {
          taken.delete(id);
          settled.open();
          ended.open();
          onFree();
        },
      };
    },
    cancel: (id) => taken.get(id)?.cancel.abort(),
    cancelAll() {
      for (const { cancel } of taken.values()) cancel.abort();
    },
    messagesOf: (id) => taken.get(id)?.messages(),
    settled: () => all('settled'),
    leave() {
      leaving.abort();
      return all('ended');
    },
  };
}
