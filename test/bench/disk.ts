import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const DISK_MS = 1_000;

/** How often a second the disk under this directory takes an append of so many bytes and its sync, one at a time. */
export function syncsPerSecond(directory: string, recordBytes: number): number {
  const file = join(directory, 'bench-disk');
  const descriptor = openSync(file, 'a', 0o600);
  const bytes = Buffer.alloc(recordBytes, 120);
  const startMs = performance.now();
  let syncs = 0;
  for (; performance.now() - startMs < DISK_MS; syncs += 1) {
    writeSync(descriptor, bytes);
    fdatasyncSync(descriptor);
  }
  const seconds = (performance.now() - startMs) / 1000;
  closeSync(descriptor);
  rmSync(file);
  return syncs / seconds;
}
