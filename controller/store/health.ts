import { isMusterError } from '../../protocol/errors.js';
import type { Database } from './database.js';

/**
 * The same tables, and whether they take changes: not from the first commit that failed for want of the disk or the
 * server until one is done again.
 */
export function watchCommits(database: Database): Readonly<{ database: Database; isFailing: () => boolean }> {
  let isFailing = false;
  return {
    isFailing: () => isFailing,
    database: {
      ...database,
      async transact(work) {
        try {
          await database.transact(work);
          isFailing = false;
        } catch (error) {
          if (isMusterError(error, 'storage_failed')) isFailing = true;

          throw error;
        }
      },
    },
  };
}
