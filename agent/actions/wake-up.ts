/** A flag that can be waited for. */
export type WakeUp = Readonly<{ set: () => void; clear: () => void; wait: () => Promise<void> }>;

/** A flag that is not set. */
export function createWakeUp(): WakeUp {
  let isSet = false;
  let wake = (): void => {};
  return {
    set() {
      isSet = true;
      wake();
    },
    clear() {
      isSet = false;
    },
    async wait() {
      if (isSet) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    },
  };
}
