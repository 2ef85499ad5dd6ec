import { statSync } from 'node:fs';

const POLL_MS = 1000;

/**
 * Calls back within a second of the file being written, replaced, removed or made, until the returned function is
 * called. With `isSettled` it waits until nothing has changed for a second: for a file of which a part would pass as a
 * whole.
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

/** Changes whenever the file is written or replaced; empty while it cannot be read. */
function fingerprintOf(file: string): string {
  try {
    const { ino, size, mtimeNs } = statSync(file, { bigint: true });
    return `${ino}-${size}-${mtimeNs}`;
  } catch {
    return '';
  }
}
