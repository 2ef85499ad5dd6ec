import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isMusterError } from '../../protocol/errors.js';
import { journalRequest, openTestJournal } from './journal.js';

// Accepts three requests one after the other and says how each ended, and which files the journal has before and after.
const directory = process.argv[2] ?? '';
const journal = await openTestJournal({ after: () => undefined }, directory);
const files = (): string[] => readdirSync(join(directory, 'journal'));
const requests = Array.from({ length: 3 }, () => journalRequest());
const ends: string[] = [];
const names = [files()];
for (const request of requests) {
  try {
    await journal.accept(request);
    ends.push('accepted');
  } catch (error) {
    if (!isMusterError(error)) throw error;
    ends.push(error.code);
  }
}
names.push(files());
await journal.close();
process.stdout.write(JSON.stringify({ ids: requests.map(({ id }) => id), ends, names }));
