import { type FSWatcher, statSync, watch } from 'node:fs';

/** Calls back on changes in a directory that may vanish, come back, or be replaced by another of its name. */
export type DirectoryEvents = Readonly<{
  /**
   * Begins to listen to what now has the name. True when that is another than before, or is heard only from now on.
   * Call it now and then: that nothing was there yet, no event tells.
   */
  follow: () => boolean;
  close: () => void;
}>;

/** Hears nothing before the first `follow`. */
export function createDirectoryEvents(directory: string, onEvent: () => void): DirectoryEvents {
  let followed: string | undefined;
  let watcher: FSWatcher | undefined;

  const close = (): void => {
    watcher?.close();
    watcher = undefined;
  };
  return {
    close,
    follow() {
      const identity = identityOf(directory);
      const isOther = identity !== followed;
      followed = identity;
      if (!isOther && (identity === undefined || watcher !== undefined)) return false;
      close();
      if (identity === undefined) return true;
      try {
        watcher = watch(directory, onEvent);
        watcher.on('error', close);
        return true;
      } catch {
        // Gone since it was asked for, or no watch is left in the kernel (ENOSPC): the next call tries again.
        return isOther;
      }
    },
  };
}

/** An inode number is used again soon after its file is gone, so the time of birth belongs to it. */
function identityOf(directory: string): string | undefined {
  try {
    const stat = statSync(directory, { bigint: true, throwIfNoEntry: false });
    return stat === undefined ? undefined : `${stat.dev}:${stat.ino}:${stat.birthtimeNs}`;
  } catch {
    return undefined; // out of reach: whoever reads the directory says why
  }
}
