import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../runtime/errno.js';

const MAX_LOG_BYTES = 10 * 1024 * 1024;

/** The log of one part under `muster up`: at most two files of 10 MiB. A log that cannot be written is given up, not fatal. */
export function createLogFile(directory: string, part: string): { path: string; write: (text: string) => void } {
  const path = join(directory, `${part}.log`);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  let bytes = sizeOf(path);
  return {
    path,
    write(text) {
      try {
        if (bytes > MAX_LOG_BYTES) {
          renameSync(path, `${path}.1`);
          bytes = 0;
        }
        appendFileSync(path, text, { mode: 0o600 });
        bytes += Buffer.byteLength(text);
      } catch {
        // A full disk must not end the parts that this log is about.
      }
    },
  };
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0;
    throw error;
  }
}
