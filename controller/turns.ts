/** Work under one key goes one after the other, in the order in which it came; that under others does not wait for it. */
export type Turns = <T>(key: string, work: () => Promise<T>) => Promise<T>;

export function createTurns(): Turns {
  /** By key: the end of the work that came last. */
  const last = new Map<string, Promise<unknown>>();
  return (key, work) => {
    const before = last.get(key);
    const done = before === undefined ? work() : before.then(work);
    const turn = done
      .catch(() => undefined)
      .then(() => {
        if (last.get(key) === turn) last.delete(key);
      });
    last.set(key, turn);
    return done;
  };
}
