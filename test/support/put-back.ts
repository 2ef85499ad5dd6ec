import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DATABASE_FILE } from '../../controller/store/store.js';
import type { TestCore } from './core.js';

/** A file of SQLite, and its write-ahead log, which a store that was closed may leave behind. */
const SUFFIXES = ['', '-wal'];

/** Stops the controller, and copies its SQLite store; `putBack` does what somebody does who restores that copy. */
export async function copyStore(muster: TestCore): Promise<Readonly<{ putBack: () => Promise<void> }>> {
  const file = join(muster.directory, DATABASE_FILE);
  const copy = `${file}.copy`;
  await muster.stop();
  for (const suffix of SUFFIXES) if (existsSync(file + suffix)) copyFileSync(file + suffix, copy + suffix);
  return {
    async putBack() {
      await muster.stop();
      for (const suffix of [...SUFFIXES, '-shm']) rmSync(file + suffix, { force: true });
      for (const suffix of SUFFIXES) if (existsSync(copy + suffix)) copyFileSync(copy + suffix, file + suffix);
      await muster.start();
    },
  };
}
