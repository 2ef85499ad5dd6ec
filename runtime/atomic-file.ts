import { closeSync, fdatasyncSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Replaces a small file so that after a power cut it holds either the old bytes or the new ones: write beside it,
 * fsync, rename, fsync the directory. Synchronous: used at start and for settings, never per message.
 */
export function writeFileAtomic(file: string, content: string, mode = 0o600): void {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    writeDurably(temporary, content, mode);
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true }); // it may hold half a key
    throw error;
  }
  syncDirectory(dirname(file));
}

function writeDurably(file: string, content: string, mode: number): void {
  const handle = openSync(file, 'w', mode);
  try {
    const bytes = Buffer.from(content);
    for (let written = 0; written < bytes.length; ) written += writeSync(handle, bytes, written);
    fdatasyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Makes a private directory, if need be, so that a power cut does not take it away with all that is in it. */
export function makeDirectoryDurably(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  syncDirectory(dirname(directory));
}

/** Makes the names in a directory durable: a rename or a new file is not, until its directory is synced. */
export function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
