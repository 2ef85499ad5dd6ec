import { accessSync, constants, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownPrefix } from './abandoned.js';
import type { TestScope } from './broker.js';

/** Linux has it everywhere; inside containers it is small as a rule. */
const MEMORY = '/dev/shm';
/** A PostgreSQL server keeps up to 1 GiB of its log, and several run at once. */
const ROOM_BYTES = 4 * 2 ** 30;

/** An empty directory that is removed after the test, or at the next run when this one is killed. */
export function temporaryDirectory(t: TestScope): string {
  return directoryIn(t, tmpdir());
}

/**
 * The same in memory, where the machine has room for that: for what makes many small files and is told to sync each.
 * A kill of any process loses nothing of it either. Programs may not run from there.
 */
export function memoryDirectory(t: TestScope): string {
  return directoryIn(t, hasRoom(MEMORY) ? MEMORY : tmpdir());
}

function directoryIn(t: TestScope, parent: string): string {
  const directory = mkdtempSync(join(parent, ownPrefix()));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function hasRoom(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize >= ROOM_BYTES;
  } catch {
    return false; // another system, or not for us to write
  }
}
