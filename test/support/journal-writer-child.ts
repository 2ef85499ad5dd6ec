import { openJournal } from '../../agent/journal/journal.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { createLogger } from '../../runtime/logger.js';
import { journalRequest } from './journal.js';

// Accepts and finishes without end in the directory of its first argument; tells each id once the disk has it.
const IN_FLIGHT = 20;
const journal = await openJournal({
  directory: process.argv[2] ?? '',
  org: 'default',
  node: 'pump',
  maxBytes: 64 * 1024 * 1024,
  clock: SYSTEM_CLOCK,
  log: createLogger('agent', { level: 'silent' }),
  machine: 'machine-1',
});

async function work(): Promise<void> {
  for (;;) {
    const request = journalRequest();
    await journal.accept(request);
    process.send?.({ accepted: request.id });
    await journal.finish(request.id, Buffer.from(`result of ${request.id}`), []);
    process.send?.({ finished: request.id });
  }
}

await Promise.all(Array.from({ length: IN_FLIGHT }, work));
