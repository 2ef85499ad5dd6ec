import { type FSWatcher, statSync, watch } from 'node:fs';

/** Calls back on changes in a directory that may vanish, come back, or be replaced by another of its name. */
export type DirectoryEvents = Readonly<{
  /** Begins to listen to what now has the name, unless it does so already. Call it now and then: that nothing was there yet, no event tells. */
  follow: () => void;
  close: () => void;
}>;

/** Hears nothing before the first `follow`. */
export function createDirectoryEvents(directory: string, onEvent: () => void): DirectoryEvents {
  let watched: { identity: string; watcher: FSWatcher } | undefined;

  const close = (): void => {
    watched?.watcher.close();
    watched = undefined;
  };
  return {
    close,
    follow() {
      const identity = identityOf(directory);
      if (identity === watched?.identity) return;
      close();
      if (identity === undefined) return;
      try {
        const watcher = watch(directory, onEvent);
        watcher.on('error', close);
        watched = { identity, watcher };
      } catch {
        // Gone since it was asked for, or no watch is left in the kernel (ENOSPC): the next call tries again.
      }
    },
  };
}

/** An inode number is used again soon after its file is gone, so the time of birth belongs to it. */
function identityOf(directory: string): string | undefined {
  const stat = statSync(directory, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? undefined : `${stat.dev}:${stat.ino}:${stat.birthtimeNs}`;
}
