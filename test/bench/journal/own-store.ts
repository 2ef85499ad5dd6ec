import { createHash } from 'node:crypto';
import { openJournal } from '../../../agent/journal/journal.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import type { CandidateStore } from './store.js';

const HOUR_MS = 3_600_000;
const MAX_BYTES = 256 * 1024 * 1024;

/** The agent's journal, as it ships. */
export async function openOwnStore(directory: string): Promise<CandidateStore> {
  const known = new Set<string>();
  const journal = await openJournal({
    ...{ directory, org: 'default', node: 'bench', maxBytes: MAX_BYTES, machine: 'bench' },
    ...{ clock: SYSTEM_CLOCK, log: createLogger('agent', { level: 'silent' }) },
  });
  for (const id of journal.unreceipted()) known.add(id);
  for (const { id } of journal.leftOpen()) known.add(id);
  return {
    async start(id, octets) {
      const sha256 = createHash('sha256').update(octets).digest('hex');
      await journal.accept({ id, sha256, octets, expiresMs: Date.now() + HOUR_MS, starting: true });
      known.add(id);
    },
    finish: (id, result) => journal.finish(id, result, []),
    receipt: journal.receipt,
    states: async () =>
      new Map([...known].map((id) => [id, journal.find(id)?.state === 'finished' ? 'finished' : 'starting'])),
    close: journal.close,
  };
}
