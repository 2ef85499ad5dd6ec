import { join } from 'node:path';
import { openConnection, type Queries } from './database.js';
import { migrate } from './migrations/list.js';
import { createWriter, type Writer } from './writer.js';

/** The controller's durable state. */
export type Store = Readonly<{
  /** Sees what is committed, and only that. */
  read: Queries;
  write: Writer['write'];
  close: () => Promise<void>;
}>;

export const DATABASE_FILE = 'muster.db';

/**
 * Opens or makes the store in this directory and brings it to this release's shape.
 * @throws {MusterError} storage_failed
 */
export async function openStore(directory: string): Promise<Store> {
  const file = join(directory, DATABASE_FILE);
  const forWriting = openConnection(file);
  try {
    await migrate(forWriting.queries);
  } catch (error) {
    await forWriting.close();
    throw error;
  }
  const forReading = openConnection(file);
  const writer = createWriter(forWriting);
  return {
    read: forReading.queries,
    write: writer.write,
    async close() {
      await writer.stop();
      await forReading.close();
      await forWriting.close();
    },
  };
}
