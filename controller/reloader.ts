import { followFile } from '../runtime/followed-file.js';

/** Takes over a file of a running controller. */
export type Reloader = Readonly<{
  /** Takes it now; what is taken already is taken once more afterwards. */
  reload: () => void;
  stop: () => Promise<void>;
}>;

/** What could not be taken is tried again after this long. */
const RETRY_MS = 5_000;

/**
 * Calls `take` now, since the file may have changed after it was read at the start, and whenever it has changed: never
 * twice at once, and again some seconds after it has failed, which `onFailure` hears of.
 */
export function followByReloader(
  file: string,
  take: () => Promise<void>,
  onFailure: (error: unknown) => void,
): Reloader {
  let isDue = false;
  let running: Promise<void> | undefined;
  let retry: NodeJS.Timeout | undefined;
  let stopped = false;

  async function takeAll(): Promise<void> {
    while (isDue && !stopped) {
      isDue = false;
      await take();
    }
  }

  function reload(): void {
    isDue = true;
    clearTimeout(retry);
    running ??= takeAll()
      .catch((error: unknown) => {
        onFailure(error);
        if (!stopped) retry = setTimeout(reload, RETRY_MS);
      })
      .finally(() => {
        running = undefined;
      });
  }

  const stopFollowing = followFile(file, reload, { isSettled: true });
  reload();
  return {
    reload,
    async stop() {
      stopFollowing();
      stopped = true;
      clearTimeout(retry);
      await running;
    },
  };
}
