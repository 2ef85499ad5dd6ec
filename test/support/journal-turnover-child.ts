import { writeSync } from 'node:fs';
import { journalRequest, openTestJournal } from './journal.js';

// Takes executions from acceptance to receipt in a journal so small that it is compacted all the time, in the directory
// of its first argument and as many as the second says. Prints each id once its result is on disk.
const RESULT_BYTES = 30_000;
const [directory = '', count = '0'] = process.argv.slice(2);
const journal = await openTestJournal({ after: () => undefined }, directory, { maxBytes: 1024 * 1024 });

for (let done = 0; done < Number(count); done += 1) {
  const request = journalRequest();
  await journal.accept(request);
  await journal.finish(request.id, Buffer.alloc(RESULT_BYTES, request.id), []);
  writeSync(1, `${request.id}\n`);
  if (done % 8 !== 0) await journal.receipt([request.id]);
}
await journal.close();
