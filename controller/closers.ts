/** What was opened, so that it can be closed in the opposite order. */
export type Closers = Readonly<{ add: (close: () => unknown) => void; closeAll: () => Promise<void> }>;

/** Every closer runs, also when one before it fails; the first failure is thrown at the end. */
export function createClosers(): Closers {
  const closers: (() => unknown)[] = [];
  return {
    add: (close) => {
      closers.push(close);
    },
    async closeAll() {
      const failures: unknown[] = [];
      for (const close of closers.splice(0).reverse()) {
        try {
          await close();
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}
