import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** How often an agent of a rig in this directory said that its journal could not be written: whether harm was done. */
export function readJournalFailures(directory: string, node: string): number {
  const log = readFileSync(join(directory, 'logs', `${node}.log`), 'utf8');
  return log.split('"journal not written"').length - 1;
}
