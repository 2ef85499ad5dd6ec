import { statSync } from 'node:fs';
import { join } from 'node:path';
import { isMusterError } from '../../protocol/errors.js';
import { journalRequest, openTestJournal } from './journal.js';

// Accepts three requests one after the other and says how each ended, and which file the journal is before and after.
const directory = process.argv[2] ?? '';
const journal = await openTestJournal({ after: () => undefined }, directory);
const inode = (): number => statSync(join(directory, 'journal')).ino;
const requests = Array.from({ length: 3 }, () => journalRequest());
const ends: string[] = [];
const inodes = [inode()];
for (const request of requests) {
  try {
    await journal.accept(request);
    ends.push('accepted');
  } catch (error) {
    if (!isMusterError(error)) throw error;
    ends.push(error.code);
  }
}
inodes.push(inode());
await journal.close();
process.stdout.write(JSON.stringify({ ids: requests.map(({ id }) => id), ends, inodes }));
