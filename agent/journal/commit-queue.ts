/** Work that becomes durable together with what else is waiting. */
type Waiting<T> = Readonly<{ item: T; resolve: () => void; reject: (error: unknown) => void }>;

/**
 * Group commit: what arrives while a commit is under way waits and goes into the next one, so that a disk which takes
 * milliseconds per commit still takes hundreds of records a second.
 */
export type CommitQueue<T> = Readonly<{
  /** Resolves once `commit` has taken the item, and fails as it failed. */
  add: (item: T) => Promise<void>;
  /** Like `add` for what need not hurry: it goes along with the next item, or alone after `LAZY_MS`. */
  addLazily: (item: T) => void;
  /** Runs alone, between two commits. */
  between: (work: () => Promise<void>) => Promise<void>;
  /** Resolves when nothing waits any more. */
  flush: () => Promise<void>;
}>;

const LAZY_MS = 20;

/** `commit` gets the items in the order in which they came; a failure fails all of them and nothing else. */
export function createCommitQueue<T>(commit: (items: readonly T[]) => Promise<void>): CommitQueue<T> {
  let waiting: Waiting<T>[] = [];
  let chores: (() => Promise<void>)[] = [];
  let draining: Promise<void> | undefined;
  let lazyTimer: NodeJS.Timeout | undefined;

  async function drain(): Promise<void> {
    // The other messages of the same read from the socket come first: they then share this commit.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0 || chores.length > 0) {
      clearTimeout(lazyTimer);
      lazyTimer = undefined;
      const batch = waiting;
      waiting = [];
      if (batch.length > 0) {
        try {
          await commit(batch.map(({ item }) => item));
          for (const { resolve } of batch) resolve();
        } catch (error) {
          for (const { reject } of batch) reject(error);
        }
      }
      const due = chores;
      chores = [];
      for (const chore of due) await chore();
    }
    draining = undefined;
  }

  function start(): void {
    draining ??= drain();
  }

  return {
    add: (item) =>
      new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject });
        start();
      }),
    addLazily(item) {
      waiting.push({ item, resolve: () => {}, reject: () => {} });
      if (draining === undefined) lazyTimer ??= setTimeout(start, LAZY_MS);
    },
    between: (work) =>
      new Promise((resolve, reject) => {
        chores.push(() => work().then(resolve, reject));
        start();
      }),
    async flush() {
      if (waiting.length > 0) start();
      while (draining !== undefined) await draining;
    },
  };
}
