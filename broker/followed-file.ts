import { statSync } from 'node:fs';

const POLL_MS = 1000;

/** Calls back within a second of the file being written, replaced, removed or made, until the returned function is called. */
export function followFile(file: string, onChange: () => void): () => void {
  let seen = fingerprintOf(file);
  const timer = setInterval(() => {
    const current = fingerprintOf(file);
    if (current === seen) return;
    seen = current;
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
