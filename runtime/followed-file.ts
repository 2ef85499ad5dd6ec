import { type BigIntStats, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const POLL_MS = 1000;

/**
 * Calls back within a second of the file being written, replaced, removed or made, until the returned function is
 * called. With `isSettled` it waits until nothing has changed for a second: for a file of which a part would pass as a
 * whole. Of a directory it follows the files that lie in it.
 */
export function followFile(file: string, onChange: () => void, { isSettled = false } = {}): () => void {
  let told = fingerprintOf(file);
  let seen = told;
  const timer = setInterval(() => {
    const current = fingerprintOf(file);
    const isStill = current === seen;
    seen = current;
    if (current === told || (isSettled && !isStill)) return;
    told = current;
    onChange();
  }, POLL_MS);
  return () => clearInterval(timer);
}

function toFingerprint({ ino, size, mtimeNs }: BigIntStats): string {
  return `${ino}-${size}-${mtimeNs}`;
}

function fingerprintOfFile(file: string): string {
  const status = statSync(file, { bigint: true, throwIfNoEntry: false });
  return status === undefined ? '' : toFingerprint(status);
}

/** Changes whenever the file is written or replaced; empty while it cannot be read. */
function fingerprintOf(file: string): string {
  try {
    const status = statSync(file, { bigint: true });
    if (status.isDirectory())
      return readdirSync(file)
        .map((name) => fingerprintOfFile(join(file, name)))
        .join();
    return toFingerprint(status);
  } catch {
    return '';
  }
}
