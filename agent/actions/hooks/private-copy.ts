import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../../runtime/errno.js';
import type { Logger } from '../../../runtime/logger.js';

/** An executable file that nobody else can write (0500), and an empty working directory; both absolute. */
export type PrivateCopy = Readonly<{ file: string; cwd: string; remove: () => Promise<void> }>;

/**
 * Writes the bytes that were checked below the data directory: what happens to the hook's own file from here on does
 * not matter.
 * @throws {Error} of the file system: full, read-only …
 */
export async function makePrivateCopy(
  { name, content }: { name: string; content: Buffer },
  { dataDir, log }: { dataDir: string; log: Logger },
): Promise<PrivateCopy> {
  const copies = copiesDirectory(await realpath(dataDir));
  await mkdir(copies, { recursive: true, mode: 0o700 });
  const directory = await mkdtemp(join(copies, 'hook-'));
  const remove = async (): Promise<void> => {
    await rm(directory, { recursive: true, force: true }).catch((err: unknown) => {
      log.warn({ errno: errnoOf(err) }, 'private copy of a hook could not be removed');
    });
  };
  try {
    const file = join(directory, 'program', name);
    const cwd = join(directory, 'work');
    await mkdir(join(directory, 'program'), { mode: 0o700 });
    await mkdir(cwd, { mode: 0o700 });
    await writeFile(file, content, { mode: 0o500, flag: 'wx' });
    return { file, cwd, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Removes the copies that an agent which was killed has left. Call it at the start, before any hook runs. */
export async function clearPrivateCopies(dataDir: string): Promise<void> {
  await rm(copiesDirectory(dataDir), { recursive: true, force: true });
}

function copiesDirectory(dataDir: string): string {
  return join(dataDir, 'hook-copies');
}
