/** Tells whoever waits for an invocation that it has reached its end. In this process only: the store is the truth. */
export type InvocationEvents = Readonly<{
  /** Calls `listener` at the end of this invocation, until the returned function is called. */
  onEnd: (id: string, listener: () => void) => () => void;
  ended: (ids: readonly string[]) => void;
}>;

export function createInvocationEvents(): InvocationEvents {
  const listeners = new Map<string, Set<() => void>>();
  return {
    onEnd(id, listener) {
      const waiting = listeners.get(id) ?? new Set();
      waiting.add(listener);
      listeners.set(id, waiting);
      return () => {
        waiting.delete(listener);
        if (waiting.size === 0 && listeners.get(id) === waiting) listeners.delete(id);
      };
    },
    ended(ids) {
      for (const id of ids) for (const listener of [...(listeners.get(id) ?? [])]) listener();
    },
  };
}
